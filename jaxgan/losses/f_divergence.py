"""The f-GAN family: any f-divergence, by its variational form.

D_f(p || q) = sum q f(p / q) = max over T of E_p[T(x)] - E_q[f*(T(x))], with f* the convex conjugate
of f. The discriminator's logit v becomes T = g(v) through an output activation g whose range is the
domain of f*. D minimises -E_p[g(v)] + E_q[f*(g(v))], whose least value is -D_f(p || q), with p the
data. G minimises -E_q[f*(g(v))], or, non-saturating, -E_q[g(v)].

Nowozin, Cseke, Tomioka (2016), f-GAN, eq. 4-7 and tables 1, 2, 6. All activations here increase with
v, so that reals get the higher logits.

Exponentials overflow float32 near 88. Beyond |v| = 20, therefore, both terms go on along their tangents,
and for alphas far from 0 and 1, whose exponents are larger, they do so earlier; only Pearson's parabola
goes on as it is. Value and gradient stay finite for every logit up to 1e9. Nothing changes where the
optimal logit is within 20, that is for density ratios between e^-20 and e^20, or between e^-10 and e^10
for Neyman's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.numerics import is_number
from jaxgan.losses.base import Claim, Loss, make_loss, softplus
from jaxgan.losses.divergences import LOG2, alpha_divergence

TANGENT = 20.0
Term = Callable[[jax.Array], jax.Array]


class _Variational(NamedTuple):
    """g and f* o g, as functions of the logit, and the logit where p = q."""

    activation: Term
    conjugate: Term
    middle: float = 0.0


def _tangent_beyond(term: Term, limit: Any = TANGENT) -> Term:
    """Continues `term` along its tangents beyond |v| = limit."""

    def continued(v: jax.Array) -> jax.Array:
        inside = jnp.clip(v, -limit, limit)
        value, slope = jax.jvp(term, (inside,), (v - inside,))
        return value + slope

    return continued


def _f_loss(form: _Variational, claim: Claim, non_saturating: bool, limit: Any = TANGENT) -> Loss:
    g, conjugate = _tangent_beyond(form.activation, limit), _tangent_beyond(form.conjugate, limit)
    return make_loss(
        lambda real, fake: -g(real) + conjugate(fake),
        (lambda real, fake: -g(fake)) if non_saturating else (lambda real, fake: -conjugate(fake)),
        threshold=form.middle,
        claim=claim,
    )


def f_kl(*, non_saturating: bool = False) -> Loss:
    """Kullback-Leibler, KL(data || fakes): f(u) = u log u, g(v) = v, f*(t) = exp(t - 1).

    Args:
      non_saturating: G minimises -g(v) instead of -f*(g(v)), section 3.2 of the paper.

    References:
      Nowozin et al. (2016), f-GAN, tables 1 and 6.
    """
    claim = Claim("kl", 0.0, 1.0, "1 + log(p/q)", lambda p, q: 1 + np.log(p / q))
    return _f_loss(_Variational(lambda v: v, lambda v: jnp.exp(v - 1), 1.0), claim, non_saturating)


def f_reverse_kl(*, non_saturating: bool = False) -> Loss:
    """KL(fakes || data): f(u) = -log u, g(v) = -exp(-v), f*(t) = -1 - log(-t).

    Args:
      non_saturating: G minimises -g(v) instead of -f*(g(v)).

    References:
      Nowozin et al. (2016), f-GAN, tables 1 and 6.
    """
    claim = Claim("reverse_kl", 0.0, 1.0, "log(p/q)", lambda p, q: np.log(p / q))
    return _f_loss(_Variational(lambda v: -jnp.exp(-v), lambda v: v - 1), claim, non_saturating)


def f_pearson(*, non_saturating: bool = False) -> Loss:
    """Pearson chi-squared: f(u) = (u - 1)^2, g(v) = v, f*(t) = t^2 / 4 + t.

    Args:
      non_saturating: G minimises -g(v) instead of -f*(g(v)).

    References:
      Nowozin et al. (2016), f-GAN, tables 1 and 6.
    """
    claim = Claim("pearson", 0.0, 1.0, "2 (p/q - 1)", lambda p, q: 2 * (p / q - 1))
    form = _Variational(lambda v: v, lambda v: 0.25 * jnp.square(v) + v)
    return _f_loss(form, claim, non_saturating, limit=1e9)  # no exponential: a parabola to the end


def f_neyman(*, non_saturating: bool = False) -> Loss:
    """Neyman chi-squared: f(u) = (1 - u)^2 / u, g(v) = 1 - exp(-v), f*(t) = 2 - 2 sqrt(1 - t).

    Args:
      non_saturating: G minimises -g(v) instead of -f*(g(v)).

    References:
      Nowozin et al. (2016), f-GAN, tables 1 and 6 (there with exp(v); ours increases with v).
    """
    claim = Claim("neyman", 0.0, 1.0, "2 log(p/q)", lambda p, q: 2 * np.log(p / q))
    form = _Variational(lambda v: 1 - jnp.exp(-v), lambda v: 2 - 2 * jnp.exp(-0.5 * v))
    return _f_loss(form, claim, non_saturating)


def f_hellinger(*, non_saturating: bool = False) -> Loss:
    """Squared Hellinger: f(u) = (sqrt u - 1)^2, g(v) = 1 - exp(-v), f*(t) = t / (1 - t).

    Args:
      non_saturating: G minimises -g(v) instead of -f*(g(v)).

    References:
      Nowozin et al. (2016), f-GAN, tables 1 and 6 (there with exp(v); ours increases with v).
    """
    claim = Claim("squared_hellinger", 0.0, 1.0, "log(p/q) / 2", lambda p, q: 0.5 * np.log(p / q))
    form = _Variational(lambda v: 1 - jnp.exp(-v), lambda v: jnp.exp(v) - 1)
    return _f_loss(form, claim, non_saturating)


def f_jensen_shannon(*, non_saturating: bool = False) -> Loss:
    """Twice the Jensen-Shannon divergence: g(v) = log 2 - softplus(-v), f*(t) = -log(2 - exp t).

    f(u) = u log u - (u + 1) log((u + 1) / 2). Up to constants this is the minimax loss.

    Args:
      non_saturating: G minimises -g(v) instead of -f*(g(v)).

    References:
      Nowozin et al. (2016), f-GAN, tables 1 and 6.
    """
    claim = Claim("jensen_shannon", 0.0, 0.5, "log(p/q)", lambda p, q: np.log(p / q))
    form = _Variational(lambda v: LOG2 - softplus(-v), lambda v: softplus(v) - LOG2)
    return _f_loss(form, claim, non_saturating)


def f_total_variation(*, non_saturating: bool = False) -> Loss:
    """Total variation: f(u) = |u - 1| / 2, g(v) = tanh(v) / 2, f*(t) = t.

    The optimum lies at infinite logits of the sign of p - q.

    Args:
      non_saturating: makes no difference here, as f* is the identity.

    References:
      Nowozin et al. (2016), f-GAN, tables 1 and 6.
    """
    claim = Claim("total_variation", 0.0, 1.0, "infinite, of the sign of p - q")
    form = _Variational(lambda v: 0.5 * jnp.tanh(v), lambda v: 0.5 * jnp.tanh(v))
    return _f_loss(form, claim, non_saturating)


def f_alpha(*, alpha: float = 0.5, non_saturating: bool = False) -> Loss:
    """Alpha-divergence: f(u) = (u^a - 1 - a (u - 1)) / (a (a - 1)), with v = log u at the optimum.

    g(v) = (exp((a - 1) v) - 1) / (a - 1) and f*(g(v)) = (exp(a v) - 1) / a, which is
    f*(t) = ((1 + (a - 1) t)^(a / (a - 1)) - 1) / a.

    Args:
      alpha: a, any number but 0 and 1 (the limits are `f_reverse_kl` and `f_kl`).
      non_saturating: G minimises -g(v) instead of -f*(g(v)).

    Raises:
      ValueError: if `alpha` is 0 or 1.

    References:
      Nowozin et al. (2016), f-GAN, table 6.
    """
    if is_number(alpha) and alpha in (0, 1):
        raise InputError(f"alpha: expected any number but 0 and 1 (use f_reverse_kl, f_kl), got {alpha}")
    name = f"alpha-divergence, alpha = {alpha}"
    value = partial(alpha_divergence, alpha=alpha)
    claim = Claim(name, 0.0, 1.0, "log(p/q)", lambda p, q: np.log(p / q), value=value)
    form = _Variational(
        lambda v: jnp.expm1((alpha - 1) * v) / (alpha - 1),
        lambda v: jnp.expm1(alpha * v) / alpha,
    )
    steepest = jnp.maximum(jnp.abs(alpha), jnp.abs(alpha - 1))
    return _f_loss(form, claim, non_saturating, limit=TANGENT / jnp.maximum(1.0, steepest))
