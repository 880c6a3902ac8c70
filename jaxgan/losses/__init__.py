"""Adversarial losses: pairs of pure functions of the discriminator's logits.

Every entry of LOSSES is a function of hyper-parameters (all with defaults) that returns a `Loss`.
Both halves of a `Loss` take `(real_logits, fake_logits)`, float32 of shape [batch] or [batch, k], and
return one value per example, [batch]; the caller takes the mean over the batch. Both are to be
minimised. Losses of scalar logits average the k logits of an example; losses of features (energy,
MMD, Sinkhorn) take them as a vector. In the formulas, x is a real example, G(z) a fake one and D the
discriminator.

Logits are what the discriminator returns before any sigmoid. Where a formula has a probability D in it,
D = sigmoid(logit), and log D = -softplus(-logit), which stays finite and has exact gradients for every
float32 logit. In all other formulas D is the logit itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jaxgan.common.errors import lookup
from jaxgan.common.user_files import OWN, is_file
from jaxgan.losses import in_python
from jaxgan.losses.base import Claim, Loss
from jaxgan.losses.classic import (
    dual_contrastive,
    geometric,
    hinge,
    least_squares,
    minimax,
    non_saturating,
    pearson_least_squares,
    wasserstein,
)
from jaxgan.losses.f_divergence import (
    f_alpha,
    f_hellinger,
    f_jensen_shannon,
    f_kl,
    f_neyman,
    f_pearson,
    f_reverse_kl,
    f_total_variation,
)
from jaxgan.losses.features import energy, mmd_rbf, mmd_repulsive, mmd_rq, sinkhorn
from jaxgan.losses.files import load_loss
from jaxgan.losses.relativistic import (
    relativistic_average,
    relativistic_average_hinge,
    relativistic_average_least_squares,
    relativistic_paired,
    relativistic_paired_hinge,
    relativistic_paired_least_squares,
)

_ENTRIES: tuple[Callable[..., Loss], ...] = (
    minimax,
    non_saturating,
    least_squares,
    pearson_least_squares,
    wasserstein,
    hinge,
    geometric,
    relativistic_paired,
    relativistic_paired_hinge,
    relativistic_paired_least_squares,
    relativistic_average,
    relativistic_average_hinge,
    relativistic_average_least_squares,
    f_kl,
    f_reverse_kl,
    f_pearson,
    f_neyman,
    f_hellinger,
    f_jensen_shannon,
    f_total_variation,
    f_alpha,
    energy,
    mmd_rbf,
    mmd_rq,
    mmd_repulsive,
    sinkhorn,
    dual_contrastive,
)
LOSSES: dict[str, Callable[..., Loss]] = {entry.__name__: entry for entry in _ENTRIES}


def find_loss(name: str) -> Callable[..., Loss]:
    """Finds the function that builds the loss `name`, an entry of LOSSES or FILE.py:NAME.

    Raises:
      ValueError: if there is no such loss, or the file cannot be used.
    """
    if in_python.is_given(name):
        return functools.partial(in_python.find, name)
    return load_loss(name) if is_file(name) else lookup("loss", name, LOSSES, also=[OWN])


def get_loss(name: str, **options: Any) -> Loss:
    """Builds the loss `name`, an entry of LOSSES or FILE.py:NAME, with `options`.

    Raises:
      ValueError: if there is no such loss, or an option's value is out of range.
      TypeError: if the loss has no such option.
    """
    return find_loss(name)(**options)


__all__ = ["LOSSES", "Claim", "Loss", "find_loss", "get_loss"]
