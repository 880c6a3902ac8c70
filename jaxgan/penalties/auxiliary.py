"""Auxiliary classification: the discriminator is also to tell the classes, and the generator to make them plain."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.penalties.base import Penalty, Scene, stateless


def auxiliary_classifier(*, fake_weight: float = 1.0, generator_weight: float = 1.0) -> Penalty:
    """AC-GAN: -log P(C = c | x), the cross-entropy of the discriminator's class logits and the labels.

    The discriminator's term is that of reals plus `fake_weight` times that of the fakes beside them, the generator's
    is `generator_weight` times that of its fakes. It needs labels and a discriminator that classifies, such as a
    residual one with head "ac". In the paper all weights are 1; the code of WGAN-GP has 0 for the
    discriminator's fakes, and 0.1 for the generator.

    Args:
      fake_weight: of the discriminator's fakes.
      generator_weight: of the generator's term.

    Raises:
      ValueError: if a weight is negative; when traced, if there are no labels or the discriminator has no classes.

    References:
      Odena, Olah, Shlens (2017), Conditional image synthesis with auxiliary classifier GANs, eq. 3.
      Gulrajani et al. (2017), Improved training of Wasserstein GANs, section 5.4.
    """
    for name, value in (("fake_weight", fake_weight), ("generator_weight", generator_weight)):
        check_range(name, value, at_least=0)

    def discriminator(scene: Scene, keys: jax.Array) -> jax.Array:
        return _cross_entropy(scene, scene.reals) + fake_weight * _cross_entropy(scene, scene.fakes)

    def generator(scene: Scene, keys: jax.Array) -> jax.Array:
        return generator_weight * _cross_entropy(scene, scene.fakes)

    terms = (stateless(term, needs_classes=True) for term in (discriminator, generator))
    return Penalty(*terms)


def _cross_entropy(scene: Scene, x: jax.Array) -> jax.Array:
    if scene.labels is None:
        raise InputError("auxiliary_classifier: expected data with class labels, got data without")
    if scene.classify is None:
        raise InputError(
            "auxiliary_classifier: expected a discriminator that classifies (head 'ac'), got one without classes"
        )
    logits = jax.nn.log_softmax(at_least_float32(scene.classify(x)))
    entropy = -jnp.take_along_axis(logits, scene.labels[:, None], axis=1)[:, 0]
    return jnp.maximum(entropy, 0.0)  # rounding of large logits can take it below
