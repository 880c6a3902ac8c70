"""What the averaged players of a game that translates make of examples of their data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError, unknown
from jaxgan.data import Source, Spec
from jaxgan.data.modality import from_float
from jaxgan.data.spec import LABEL
from jaxgan.games.game import Game
from jaxgan.metrics.restoration import compared_with

_BATCH = 32
_SIZES = (1, 8, _BATCH)  # of batches: few programs, and not many rows of nothing
_SEED = 0x706169  # of what is made of examples that are looked at


class Translator:
    """Translates in batches of one size, so that one program serves any number of examples.

    It stands where games with latents have a `Sampler`: "the example of seed k" is what is made of example k (round and
    round) of the data that are held out, or of all data where nothing is.

    Attributes:
      directions: names of the game's translations.
      n_classes: 0: examples bring the classes that a conditional game is told.
    """

    n_classes = 0

    def __init__(self, game: Game, spec: Spec, source: Source | None = None) -> None:
        """Compiles nothing yet.

        Args:
          game: with translations.
          spec: of its data.
          source: of the examples; None: only arrays that are given are translated.
        """
        if not game.translations:
            raise InputError("game: expected one that translates, got one without translations")
        self.directions = list(game.translations)
        self._game, self._spec = game, spec
        told = any(own.conditional for own in game.translations.values())
        self._source = None if source is None else compared_with(source, told=told)
        self._made: dict[str, Any] = {}
        self._dealt: Any = None

    def of(self, source: Source) -> Translator:
        """A translator like this one that translates the examples of a source."""
        return Translator(self._game, self._spec, source)

    def direction(self, name: str | None = None) -> str:
        """The name of a direction, by default the first. Raises InputError for one that there is not."""
        if name is None:
            return self.directions[0]
        if name not in self.directions:
            raise unknown("direction", name, self.directions)
        return name

    def apply(
        self,
        variables: Any,
        batch: Mapping[str, np.ndarray],
        direction: str | None = None,
        poll: Callable[[], None] = lambda: None,
    ) -> np.ndarray:
        """Translates arrays, float32 [n, ...] as the model sees them; what comes out is in the same form.

        Args:
          variables: of the averaged players.
          batch: the arrays that the direction takes, by name; "label", int32 [n], among them if it is conditional.
          direction: name of the translation; None: the first.
          poll: is called before every batch; what it raises ends the work.
        """
        name = self.direction(direction)
        own = self._game.translations[name]
        if name not in self._made:
            module: Any = self._game.players[own.player].module

            def make(variables: Any, batch: Mapping[str, jax.Array]) -> jax.Array:
                label = (batch.get(LABEL),) if own.conditional else ()
                return own.make(lambda x: module.apply(variables, x, *label, train=False), batch)

            self._made[name] = jax.jit(make)
        names = (own.source, "mask", *((LABEL,) if own.conditional else ()))
        taken = {key: np.asarray(batch[key], _type(key)) for key in names if key in batch}
        n, parts = len(taken[own.source]), []
        each = next(size for size in _SIZES if size >= min(n, _BATCH))
        for start in range(0, n, each):
            poll()
            part = {key: x[start : start + each] for key, x in taken.items()}
            size = len(part[own.source])
            padded = {
                key: np.pad(x, ((0, each - size), *((0, 0),) * (x.ndim - 1))) for key, x in part.items()
            }
            parts.append(np.asarray(self._made[name](variables[own.player], padded))[:size])
        return np.concatenate(parts)

    def stored(self, made: np.ndarray) -> np.ndarray:
        """Converts what was made to the form in which examples are stored."""
        return np.asarray(self._spec.from_model(jnp.asarray(made)))

    # --- examples of the data ---

    @property
    def n_examples(self) -> int:
        """How many examples there are to translate."""
        return self.examples.n or 0

    def dealt(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays of the examples with these numbers, as the model sees them.

        What an input lacks depends on the number of its example alone.
        """
        source = self.examples
        if self._dealt is None:

            def deal(stored: Mapping[str, jax.Array], numbers: jax.Array) -> dict[str, jax.Array]:
                batch = {key: source.modality.to_model(x) for key, x in stored.items() if key != LABEL}
                labels = {LABEL: stored[LABEL]} if LABEL in stored else {}
                if source.derived is None:
                    return batch | labels
                keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(_SEED), numbers)
                return batch | dict(source.derived(keys, batch)) | labels

            self._dealt = jax.jit(deal)
        parts: dict[str, list[np.ndarray]] = {}
        for start in range(0, len(rows), _BATCH):
            own = np.resize(rows[start : start + _BATCH], _BATCH)
            found = self._dealt(source.take(own), jnp.asarray(own, jnp.uint32))  # pyright: ignore
            for key, x in found.items():
                parts.setdefault(key, []).append(np.asarray(x)[: len(rows) - start])
        return {key: np.concatenate(x) for key, x in parts.items()}

    def rows(self, n: int) -> np.ndarray:
        """The numbers of the first n examples, round and round."""
        return np.arange(n) % (self.examples.n or 1)

    def by_seed(
        self,
        variables: Any,
        seeds: Sequence[int],
        labels: np.ndarray | None = None,
        poll: Callable[[], None] = lambda: None,
    ) -> np.ndarray:
        """Translates example k for each seed k, and returns what is made in the form in which examples are stored."""
        rows = np.asarray(seeds, np.int64) % (self.examples.n or 1)
        return self.stored(self.apply(variables, self.dealt(rows), None, poll))

    def stream(self, variables: Any, first_seed: int, poll: Callable[[], None] = lambda: None) -> Made:
        """A function n -> translations of the first n examples; `first_seed` changes nothing."""
        return Made(self, variables, poll)

    def panels(self, variables: Any, n: int) -> tuple[np.ndarray, int]:
        """Rows to look at, [n k, h, w, c], and k: input, output, and what it should be or the way back.

        Of pairs k is 3. Of domains it is 3 in each direction: an example, its translation, and that translated back.
        """
        batch, shown = self.dealt(self.rows(n)), []
        for name in self.directions:
            own = self._game.translations[name]
            made = self.apply(variables, batch, name)
            shown += [batch[own.source], made]
            back = [key for key, other in self._game.translations.items() if other.source == own.target]
            if back:
                shown.append(self.apply(variables, {**batch, own.target: made}, back[0]))
            else:
                shown.append(batch[own.target])
        size = shown[1].shape[1:3]
        channels = max(x.shape[-1] for x in shown)
        dtype = np.dtype(self._spec.stored)
        alike = [_alike(np.asarray(from_float(jnp.asarray(x), dtype)), size, channels) for x in shown]
        return np.stack(alike, 1).reshape(-1, *size, channels), len(alike)

    @property
    def examples(self) -> Source:
        """The examples that are translated to be looked at. Raises InputError where there are none."""
        if self._source is None:
            self._no_seeds()
        return self._source

    def _no_seeds(self) -> NoReturn:
        raise InputError(
            "run: expected one that makes examples from seeds, got one that translates images: jaxgan apply RUN IMAGES"
        )

    def latents(self, seeds: Sequence[int]) -> np.ndarray:
        """Raises InputError, because nothing is made of latents."""
        self._no_seeds()

    def program(self, variables: Any) -> NoReturn:
        """Raises InputError, because nothing is made of seeds."""
        self._no_seeds()

    def labels_of(self, seeds: Sequence[int]) -> None:
        """Returns None, because examples bring their own classes."""
        return


def _type(name: str) -> type:
    """Of an array of a batch."""
    return np.int32 if name == LABEL else np.float32


def _alike(images: np.ndarray, size: tuple[int, int], channels: int) -> np.ndarray:
    """Images of other sizes with their pixels repeated (and cut), grey ones with as many channels."""
    high, wide = (-(-new // old) for new, old in zip(size, images.shape[1:3], strict=True))
    images = images.repeat(high, 1).repeat(wide, 2)[:, : size[0], : size[1]]
    return images if images.shape[-1] == channels else images[..., :1].repeat(channels, -1)


class Made:
    """Translates examples: called with n, it gives the translations of the first n.

    Attributes:
      source: of the examples.
    """

    def __init__(self, translator: Translator, variables: Any, poll: Callable[[], None]) -> None:
        """Translates nothing yet."""
        self._translator, self._variables, self._poll = translator, variables, poll
        self.source = translator.examples

    def __call__(self, n: int) -> np.ndarray:
        """The translations of the first n examples, round and round, as they are stored."""
        return self.of(self._translator.rows(n))[0]

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """The translations of these examples, as they are stored, and their arrays as the model sees them."""
        batch = self._translator.dealt(rows)
        made = self._translator.apply(self._variables, batch, None, self._poll)
        return self._translator.stored(made), batch
