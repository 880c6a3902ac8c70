"""The averaged generator of a run, as what is built on it needs it: its latent spaces, what it computes inside."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError, unknown
from jaxgan.data.modality import IMAGE
from jaxgan.runs.opened import Run

Space = Literal["z", "w", "w+"]
SPACES: tuple[Space, ...] = ("z", "w", "w+")
BATCH = 50
"""Examples a call."""


class Change(NamedTuple):
    """What is put in the place of a layer's units.

    Attributes:
      units: [c] of 0 and 1: those that are changed.
      values: [c]: what they give instead.
      where: [h, w] of 0 and 1: the positions at which they are changed.
    """

    units: Any
    values: Any
    where: Any


class Network:
    """The generator of an opened run: latents of three spaces to images.

    z is what the prior draws, [n, d]. A family with a mapping network has two more: w, the style that the mapping
    makes of z, [n, d], and w+, one style for each layer, [n, layers, d].

    Attributes:
      run: whose generator it is.
      module: the generator.
      variables: its averaged ones, with a truncation if there is one.
      n_classes: of a conditional generator, else 0.
    """

    def __init__(self, run: Run, truncation: float | None = None) -> None:
        """Computes nothing yet.

        Args:
          run: of images.
          truncation: as of `jaxgan sample --truncation`; None: none.

        Raises:
          InputError: for a run of other examples than images, or a family without truncation.
        """
        if run.spec.modality is not IMAGE:
            raise InputError(f"run: expected one of images, got one of {run.spec.modality.name}s")
        output = run.game.output
        assert output is not None  # as the run has a sampler
        self.run, self.n_classes = run, run.sampler.n_classes
        self.module, self.latent = run.game.players[output.player].module, output.latent
        self.variables, self._psi = run.variables, truncation
        if truncation is not None:
            if not hasattr(run.config.model, "truncated"):
                raise InputError(
                    "truncation: expected none, as networks of this family have no truncation, got "
                    f"{truncation:g}"
                )
            none = np.zeros((1, self.latent.dim), np.float32)
            self.variables, _ = run.config.model.truncated(run.variables, none, truncation)
        self._programs: dict[Any, Any] = {}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an image: (height, width, channels)."""
        return self.run.spec.shape  # pyright: ignore[reportReturnType]

    @property
    def has_styles(self) -> bool:
        """Whether the family has a mapping network, and so the spaces w and w+."""
        return hasattr(self.module, "mapping") and hasattr(self.module, "synthesis")

    @property
    def spaces(self) -> tuple[Space, ...]:
        """The latent spaces of the family."""
        return SPACES if self.has_styles else SPACES[:1]

    def check_space(self, space: str | None) -> Space:
        """`space`; of None w where there is one, else z. Raises InputError for one that there is not."""
        space = space or self.spaces[min(1, len(self.spaces) - 1)]
        if space not in SPACES:
            raise unknown("space", space, SPACES)
        if space not in self.spaces:
            raise InputError(f"space: expected 'z', as this family has no mapping network, got {space!r}")
        return space  # pyright: ignore[reportReturnType]

    @cached_property
    def style_shape(self) -> tuple[int, int]:
        """(layers, d) of w+. Raises InputError for a family without styles."""
        self.check_space("w+")
        z = jax.ShapeDtypeStruct((1, self.latent.dim), jnp.float32)
        label = jax.ShapeDtypeStruct((1,), jnp.int32) if self.n_classes else None
        shape = jax.eval_shape(partial(self.map, self.variables), z, label).shape
        return shape[1:]

    def dim(self, space: Space) -> int:
        """Coordinates of a latent of a space; of w+, those of one layer."""
        return self.latent.dim if space == "z" else self.style_shape[1]

    # --- pure functions ---------------------------------------------------------------------------

    def map(self, variables: Any, z: jax.Array, labels: jax.Array | None) -> jax.Array:
        """z [n, d] -> w+ [n, layers, d]. It is pure."""
        return self.module.apply(variables, z, labels, method="mapping")  # pyright: ignore[reportReturnType]

    def images(self, variables: Any, v: jax.Array, labels: jax.Array | None) -> jax.Array:
        """Latents z [n, d], or w+ [n, layers, d] -> images, float32, about in [-1, 1]. It is pure."""
        if v.ndim == 3:
            x: Any = self.module.apply(variables, v, method="synthesis")
        else:
            x = self.module.apply(variables, v, labels, train=False)
        return x.astype(jnp.float32)

    def watched(
        self,
        variables: Any,
        v: jax.Array,
        labels: jax.Array | None,
        *,
        wanted: Callable[[nn.Module, str, Any], bool],
        changes: Mapping[str, Change] | None = None,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Images, and what the modules inside give on the way to them. It is pure.

        Args:
          variables: as of `images`.
          v: as of `images`.
          labels: as of `images`.
          wanted: (module, its name, what it gives) -> whether that is kept.
          changes: by name of the module: what its units give instead.

        Returns:
          The images, and by the names of the modules (as in "UpConv_0/norm") what they gave.
        """
        found: dict[str, jax.Array] = {}

        def look(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            given = call(*args, **kwargs)
            name = "/".join(context.module.path)
            if context.method_name != "__call__" or not isinstance(given, jax.Array):
                return given
            if changes and (change := changes.get(name)) is not None:
                at = change.where[:, :, None] * change.units
                given = jnp.where(at > 0, change.values, given).astype(given.dtype)
            if name and wanted(context.module, name, given):
                found[name] = given
            return given

        with nn.intercept_methods(look):
            return self.images(variables, v, labels), found

    def modules(self, wanted: Callable[[nn.Module, str, Any], bool]) -> dict[str, tuple[int, ...]]:
        """The shapes of what modules give for one z, by their names, in the order in which they are called."""
        found: dict[str, tuple[int, ...]] = {}

        def noted(module: nn.Module, name: str, given: Any) -> bool:
            if wanted(module, name, given):
                found[name] = given.shape
            return False

        z = jax.ShapeDtypeStruct((1, self.latent.dim), jnp.float32)
        label = jax.ShapeDtypeStruct((1,), jnp.int32) if self.n_classes else None
        jax.eval_shape(lambda *args: self.watched(*args, wanted=noted)[0], self.variables, z, label)
        return found

    # --- on the host ------------------------------------------------------------------------------

    def program(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, compiled once under this name."""
        if name not in self._programs:
            self._programs[name] = jax.jit(function)
        return self._programs[name]

    def drawn(
        self, seeds: Sequence[int], labels: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The latents z of seeds, and their classes: those that are given, or the ones that `jaxgan sample` takes."""
        labels = self.run.sampler.labels_of(seeds) if labels is None else labels
        z = self.run.sampler.latents(seeds)
        if self._psi is not None:
            z = np.asarray(self.run.config.model.truncated(self.run.variables, z, self._psi)[1])
        return z, None if labels is None else np.asarray(labels, np.int32)

    def styles(self, z: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        """z [n, d] -> w+ [n, layers, d]."""
        mapped = self.program("map", self.map)
        return np.concatenate([np.asarray(mapped(self.variables, *p))[:k] for p, k in parts(z, labels)])

    def decode(self, v: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        """Latents z [n, d] or w+ [n, layers, d] -> images as they are stored, uint8 or uint16 [n, h, w, c]."""
        made = self.program("decode", lambda *args: self.run.spec.from_model(self.images(*args)))
        return np.concatenate([np.asarray(made(self.variables, *p))[:k] for p, k in parts(v, labels)])


def parts(*arrays: np.ndarray | None, size: int = BATCH) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Batches of rows of arrays, the last one filled up with its own last row, and how many of each count."""
    n = len(next(x for x in arrays if x is not None))
    for start in range(0, n, size):
        rows = np.minimum(np.arange(start, start + size), n - 1)
        yield (
            tuple(None if x is None else jnp.asarray(np.asarray(x)[rows]) for x in arrays),
            min(size, n - start),
        )


def side_of(n: int) -> int:
    """Columns of a grid of n that is about square."""
    return math.ceil(math.sqrt(n))
