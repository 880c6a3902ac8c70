"""What a penalty is, and the pieces that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxgan.common import keys

Critic = Callable[[jax.Array], jax.Array]
Classify = Callable[[jax.Array], jax.Array]
Generate = Callable[[jax.Array], jax.Array]
Plain = tuple[jax.Array, Callable[[jax.Array], jax.Array]]


class Scene(NamedTuple):
    """What a term may look at: one turn's examples, and the networks that made and judge them.

    Attributes:
      reals: real examples [batch, ...], as the critic sees them.
      fakes: generated ones beside them, of the same shape.
      latents: z [batch, dim], from which the fakes were made.
      critic: examples -> logits, [batch] or [batch, k]. It remembers nothing of being asked.
      generate: latents -> fakes, of the generator and the labels that made `fakes`. Fewer latents, here and in
        `styles`, are those of every (batch / k)-th example.
      styles: latents -> (styles w [k, layers, size], styles -> what the generator makes of them, before any
        augmentation), of a generator with such a space in between; None for others.
      mean: a mean over these examples -> that over the whole batch, of which several devices may hold shares.
      labels: classes of the reals, and of the fakes beside them, int32 [batch]; None where there are none.
      classify: examples -> logits of their classes [batch, n_classes], where the discriminator gives them.
      plain_reals: the reals before they were augmented, and how they were, x -> reals; None where they were not.
      plain_fakes: the same of the fakes.
    """

    reals: jax.Array
    fakes: jax.Array
    latents: jax.Array
    critic: Critic
    generate: Generate
    styles: Callable[[jax.Array], tuple[jax.Array, Generate]] | None = None
    mean: Callable[[jax.Array], jax.Array] = lambda x: x
    labels: jax.Array | None = None
    classify: Classify | None = None
    plain_reals: Plain | None = None
    plain_fakes: Plain | None = None


class Term(NamedTuple):
    """A term that is added to what a player minimises.

    Attributes:
      init: () -> memory, arrays only; () if nothing is remembered.
      value: (memory, scene, keys) -> (values, memory). There is one key an example, [batch]; values are one
        number an example, [batch], in at least float32. The caller takes their mean and multiplies it by
        the term's weight. What moves is up to the turn that the term belongs to: its gradient is taken in
        the movers' parameters, through all that the scene holds.
      needs_latents: whether it uses `scene.latents` or `scene.generate`, which games without latents, or
        with packs of several examples, do not have.
      needs_classes: whether it uses `scene.labels` and `scene.classify`, which only games of labelled examples with a
        discriminator that classifies have.
    """

    init: Callable[[], Any]
    value: Callable[[Any, Scene, jax.Array], tuple[jax.Array, Any]]
    needs_latents: bool = False
    needs_classes: bool = False


class Penalty(NamedTuple):
    """A regulariser of a two-player game: a term of either player, or of both, under one weight.

    Attributes:
      discriminator: its term, or None.
      generator: its term, or None.
    """

    discriminator: Term | None = None
    generator: Term | None = None


def stateless(
    values: Callable[[Scene, jax.Array], jax.Array],
    *,
    needs_latents: bool = False,
    needs_classes: bool = False,
) -> Term:
    """The term of a function (scene, keys) -> values, which remembers nothing."""

    def value(memory: Any, scene: Scene, example_keys: jax.Array) -> tuple[jax.Array, Any]:
        return values(scene, example_keys), memory

    return Term(lambda: (), value, needs_latents, needs_classes)


def each_term(change: Callable[[Term], Term], penalty: Penalty) -> Penalty:
    """The penalty with `change` applied to every term that it has."""
    return Penalty(*(None if term is None else change(term) for term in penalty))


def example_keys(key: jax.Array, n: int, stream: int) -> jax.Array:
    """A key for each of `n` examples, [n], independent between streams."""
    return jax.vmap(jax.random.fold_in, (0, None))(keys.per_example(key, n), stream)
