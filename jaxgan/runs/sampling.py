"""Examples from an averaged generator, by seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from jaxgan.common.devices import batch_sharded
from jaxgan.common.errors import InputError
from jaxgan.config.config import Config
from jaxgan.data import Spec
from jaxgan.games.game import Game
from jaxgan.models.latents import Draw
from jaxgan.models.layers.norm import standing_statistics

_BATCH = 100


def _drawn(draw: Callable[[jax.Array], jax.Array], seeds: jax.Array, impl: str | None = None) -> jax.Array:
    """The latent vector of each seed, by keys of a kind of JAX's (None: its default)."""
    return jax.vmap(lambda seed: draw(jax.random.fold_in(jax.random.key(seed, impl=impl), 0)))(seeds)


_shared = jax.jit(_drawn, static_argnums=(0, 2))
"""`_drawn`, compiled once for all samplers of a prior of ours; a draw of one's own may change, or have no hash."""


class Sampler:
    """Generates in batches of one size, so that one program serves any number of examples."""

    def __init__(self, game: Game, n_classes: int, spec: Spec) -> None:
        """Compiles nothing yet.

        Args:
          game: whose output is sampled.
          n_classes: of a conditional generator; 0 if labels do not matter.
          spec: of the data, which says in what form examples are stored.
        """
        self.n_classes = n_classes
        if game.output is None:
            raise InputError("game: expected one with an output to be sampled, got one without")
        module, latent = game.players[game.output.player].module, game.output.latent
        self._module = module

        def generate(variables: Any, z: jax.Array, labels: jax.Array | None) -> jax.Array:
            x: Any = module.apply(variables, z, labels, train=False)
            return spec.from_model(x)

        self._generate = jax.jit(generate)
        self._encode, encoding = None, game.encoding
        if encoding is not None:
            encoder = game.players[encoding.player].module

            def encode(variables: Any, x: jax.Array) -> jax.Array:
                return encoding.code(encoder.apply(variables, spec.modality.to_model(x), train=False))

            self._encode = jax.jit(encode)
        own = jax.jit(partial(_drawn, latent.draw))
        impl = lambda: str(jax.config.jax_default_prng_impl)  # pyright: ignore[reportAttributeAccessIssue]
        shared = lambda seeds: _shared(latent.draw, seeds, impl())
        self._drawn = shared if isinstance(latent.draw, Draw) else own

    def program(self, variables: Any) -> Callable[..., jax.Array]:
        """The pure function (seeds uint32 [n], labels int32 [n] or None) -> examples [n, ...] of these variables."""

        def program(seeds: jax.Array, labels: jax.Array | None = None) -> jax.Array:
            return self._generate(variables, self._drawn(seeds), labels)

        return program

    def latents(self, seeds: Sequence[int]) -> np.ndarray:
        """The latent vector of each seed, [n, dim]. Raises InputError for a seed out of range."""
        if len(seeds) and not 0 <= min(seeds) <= max(seeds) < 2**32:
            raise InputError(
                f"seeds: expected integers from 0 to {2**32 - 1}, got {min(seeds)} to {max(seeds)}"
            )
        return np.asarray(self._drawn(jnp.asarray(seeds, jnp.uint32)))

    def decode(
        self,
        variables: Any,
        z: np.ndarray,
        labels: np.ndarray | None = None,
        poll: Callable[[], None] = lambda: None,
    ) -> np.ndarray:
        """Examples [n, ...] of latents [n, dim], in the form in which the data are stored.

        Args:
          variables: of the generator.
          z: the latents.
          labels: of a conditional generator, [n].
          poll: is called before every batch; what it raises ends the work.

        Raises:
          InputError: if a conditional generator gets no labels, or labels out of range.
        """
        if self.n_classes:
            if labels is None:
                raise InputError("classes: expected one for each example, as this generator is conditional")
            if len(labels) and not 0 <= labels.min() <= labels.max() < self.n_classes:
                raise InputError(
                    f"classes: expected integers from 0 to {self.n_classes - 1}, got {labels.tolist()}"
                )
        elif labels is not None:
            raise InputError("classes: expected none, as this generator is not conditional")
        parts = []
        for start in range(0, len(z), _BATCH):
            poll()
            part = z[start : start + _BATCH]
            pad = _BATCH - len(part)
            rows = jnp.asarray(np.concatenate([part, np.zeros((pad, z.shape[1]), z.dtype)]))
            classes = None
            if labels is not None:
                classes = jnp.asarray(np.pad(labels[start : start + _BATCH], (0, pad)), jnp.int32)
            parts.append(np.asarray(self._generate(variables, rows, classes))[: len(part)])
        return np.concatenate(parts)

    @property
    def encodes(self) -> bool:
        """Whether the game has an encoder, so that `encode` can be called."""
        return self._encode is not None

    def encode(self, variables: Any, examples: np.ndarray) -> np.ndarray:
        """The latents [n, dim] of examples [n, ...], in the form in which the data are stored.

        Args:
          variables: of the encoder, as of `Game.at_rest`.
          examples: to be encoded.
        """
        assert self._encode is not None
        parts = []
        for start in range(0, len(examples), _BATCH):
            part = np.asarray(examples[start : start + _BATCH])
            pad = [(0, _BATCH - len(part)), *[(0, 0)] * (part.ndim - 1)]
            parts.append(np.asarray(self._encode(variables, np.pad(part, pad)))[: len(part)])
        return np.concatenate(parts)

    def standing(self, variables: Any, z: np.ndarray, labels: np.ndarray | None) -> Any:
        """The variables with standing statistics, over passes of 100 of the latents [n, dim].

        Raises:
          InputError: if the generator has no batch normalisation.
        """
        parts = [slice(start, start + _BATCH) for start in range(0, len(z), _BATCH)]
        classes = [None if labels is None else jnp.asarray(labels[part], jnp.int32) for part in parts]
        latents = [jnp.asarray(z[part]) for part in parts]
        return standing_statistics(self._module, variables, zip(latents, classes, strict=True))

    def by_seed(
        self,
        variables: Any,
        seeds: Sequence[int],
        labels: np.ndarray | None = None,
        poll: Callable[[], None] = lambda: None,
    ) -> np.ndarray:
        """The example of each seed; without labels a conditional generator takes class seed % n_classes."""
        labels = self.labels_of(seeds) if labels is None else labels
        return self.decode(variables, self.latents(seeds), labels, poll)

    def labels_of(self, seeds: Sequence[int]) -> np.ndarray | None:
        """The classes that `by_seed` takes where none are given; None of an unconditional generator."""
        return np.asarray(seeds, np.int64) % self.n_classes if self.n_classes else None

    def stream(self, variables: Any, first_seed: int, poll: Callable[[], None] = lambda: None) -> Stream:
        """A function n -> examples of n consecutive seeds, the same ones at every call; `poll` is as of `decode`."""
        return Stream(self, variables, first_seed, poll)

    def on_devices(self, variables: Any, seeds: np.ndarray) -> jax.Array:
        """The examples of seeds uint32 [n] as `by_seed` has them, left where they were made.

        Where the variables lie on several devices and these can share n, each generates its part.
        """
        labels = None
        if self.n_classes:
            labels = jnp.asarray(seeds.astype(np.int64) % self.n_classes, jnp.int32)
        rows = jnp.asarray(seeds, jnp.uint32)
        sharding = jax.tree.leaves(variables)[0].sharding
        if isinstance(sharding, NamedSharding) and len(seeds) % sharding.mesh.size == 0:
            rows, labels = jax.device_put((rows, labels), batch_sharded(sharding.mesh))  # pyright: ignore
        return self._generate(variables, self._drawn(rows), labels)


def sampler_of(game: Game, config: Config, spec: Spec) -> Sampler:
    """The sampler of a run: of its game, its configuration and the spec of its data.

    Raises:
      InputError: if the game has no output.
    """
    conditional = game.output is not None and game.output.conditional
    return Sampler(game, spec.n_classes if conditional else 0, spec)


class Stream:
    """The examples of consecutive seeds, at once or in batches that stay on the devices."""

    def __init__(
        self, sampler: Sampler, variables: Any, first_seed: int, poll: Callable[[], None] = lambda: None
    ) -> None:
        """Generates nothing yet."""
        self._sampler, self._variables, self._first, self._poll = sampler, variables, first_seed, poll

    def __call__(self, n: int) -> np.ndarray:
        """The examples of the first n seeds."""
        seeds = range(self._first, self._first + n)
        return self._sampler.by_seed(self._variables, seeds, poll=self._poll)

    def batches(self, n: int, size: int) -> Iterator[tuple[jax.Array, int]]:
        """Yields the examples in batches of `size` on the devices, and how many of each count: the last has more."""
        for start in range(0, n, size):
            self._poll()
            seeds = np.arange(self._first + start, self._first + start + size, dtype=np.uint32)
            yield self._sampler.on_devices(self._variables, seeds), min(size, n - start)

    def labels(self, n: int) -> np.ndarray | None:
        """The classes that the examples are generated for, int32 [n]; None of an unconditional generator."""
        if not self._sampler.n_classes:
            return None
        return (np.arange(self._first, self._first + n) % self._sampler.n_classes).astype(np.int32)


def grid_labels(n_classes: int, columns: int, classes: Sequence[int] | None = None) -> np.ndarray | None:
    """Labels for a grid of one row a class; None where labels do not matter.

    Args:
      n_classes: of the generator; 0: labels do not matter.
      columns: examples in a row.
      classes: of the rows; None: all.
    """
    if not n_classes:
        return None
    return np.repeat(np.asarray(classes if classes is not None else range(n_classes)), columns)
