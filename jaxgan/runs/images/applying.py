"""A run that translates, applied to images of any size, of 8 or 16 bits, grey or in colour, with or without alpha."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.progress import counted
from jaxgan.data.degrade.filters import LUMA
from jaxgan.data.labels import class_index
from jaxgan.data.spec import LABEL
from jaxgan.metrics.restoration import enlarged
from jaxgan.runs.images.tiles import by_tiles, tile_of

_TYPES = ("uint8", "uint16")


class Applied:
    """A run that translates images in one direction."""

    def __init__(
        self,
        run: Any,
        direction: str | None = None,
        *,
        tile: int | None = None,
        overlap: int | None = None,
        poll: Callable[[], None] = lambda: None,
    ) -> None:
        """Translates nothing yet.

        Args:
          run: an opened run of a game that translates.
          direction: such as "a-to-b"; None: the first.
          tile: side of the tiles in pixels of the input; None: as large as the images that it was trained on.
          overlap: of the tiles in pixels; None: a quarter of them.
          poll: is called now and then; what it raises ends the work.

        Raises:
          InputError: for a run that does not translate, a direction that it has not, or tiles that its networks do not
            take.
        """
        if not run.game.translations:
            raise InputError(
                "run: expected one that translates images, as of --data.degrade, pix2pix or cyclegan, got one of the "
                f"game {run.config.game!r}"
            )
        self._translator, self._variables, self._poll = run.sampler, run.variables, poll
        self.direction = self._translator.direction(direction)
        own = run.game.translations[self.direction]
        module, arrays = run.game.players[own.player].module, run.spec.arrays
        self._source, given, made = own.source, arrays[own.source].shape, arrays[own.target].shape
        self._in, self._out, self.scale = given[2], made[2], max(1, made[0] // given[0])
        self.masked = "mask" in arrays
        self._restores = bool(run.config.data.degrade)
        self._stored, self._others = str(run.spec.stored), Counter[str]()
        self.class_names: tuple[str, ...] = (
            tuple(map(str, run.data["class_names"])) if own.conditional else ()
        )
        self.tile = tile_of(module, given) if tile is None else (tile, tile)
        self.overlap = min(self.tile) // 4 if overlap is None else overlap
        check_range("tile", tile, at_least=1, unit="pixel")
        high, wide = self.tile
        check_range(
            "overlap",
            self.overlap,
            at_least=0,
            at_most=min(self.tile) - 1,
            unit=f"pixels, as tiles are {high}x{wide}",
        )

    def __call__(
        self, image: np.ndarray, mask: np.ndarray | None = None, of: int | str | None = None
    ) -> np.ndarray:
        """One image translated, in its own type.

        A grey network takes the colours of an image one by one, one for colours takes grey as three equal ones. Alpha
        is kept (and enlarged), unless the network was trained with it.

        Args:
          image: uint8 or uint16 [h, w] or [h, w, 1 to 4 channels].
          mask: [h, w], not 0 where the image is lost, for a run that fills; None: where it is transparent.
          of: class of the image, by number or name, for a conditional run.

        Returns:
          [h scale, w scale, channels].

        Raises:
          InputError: for other arrays, a missing mask, or a class that is missing or is none of the run's.
        """
        label = self.label(of)
        image = image[..., None] if image.ndim == 2 else image
        if (
            image.ndim != 3
            or not 1 <= image.shape[2] <= 4
            or 0 in image.shape
            or str(image.dtype) not in _TYPES
        ):
            raise InputError(
                f"images: expected uint8 or uint16 [h, w, 1 to 4 channels], got {image.dtype} {list(image.shape)}"
            )
        most, alpha = np.iinfo(image.dtype).max, None
        if image.shape[2] in (2, 4) and self._in in (1, 3):
            image, alpha = image[..., :-1], image[..., -1:]
        lost = self._lost(image, mask, alpha)
        if lost is not None and alpha is not None:
            alpha = np.where(lost, np.asarray(most, image.dtype), alpha)  # which is filled
        values = 2 * (image.astype(np.float32) / most) - 1
        made = self._colours(values, lost, label)
        if str(image.dtype) != self._stored:
            self._others[str(image.dtype)] += 1
        pixels = np.clip(np.round((made + 1) * (most / 2)), 0, most).astype(image.dtype)
        if alpha is None:
            return pixels
        if self.scale > 1:
            alpha = enlarged(alpha, *pixels.shape[:2])
        return np.concatenate([pixels, alpha], axis=2)

    def of(self, label: int | str | None) -> Callable[[np.ndarray, np.ndarray | None], np.ndarray]:
        """A function (image, mask) -> translated image, for images of a class; None: the run has no classes."""
        return lambda image, mask=None: self(image, mask, label)

    @property
    def notes(self) -> list[str]:
        """Says what is to be known of the images so far, such as that some have other bits than those trained on."""
        bits = lambda stored: 8 * np.dtype(stored).itemsize
        return [
            f"{counted(n, 'image')} of {bits(kind)} bits through a run that was trained on {bits(self._stored)}: what "
            f"is made has {bits(kind)}, as precise as {min(bits(kind), bits(self._stored))} are"
            for kind, n in self._others.items()
        ]

    def label(self, of: int | str | None) -> int | None:
        """The number of a class; None for a run that is not conditional. Raises InputError where it does not fit."""
        if not self.class_names:
            if of is not None:
                raise InputError(f"classes: expected none, as this run is not conditional, got {of!r}")
            return None
        if of is None:
            named = ", ".join(self.class_names[:100])
            raise InputError(
                f"classes: expected the class of each image, as this run is conditional: one of {named}"
            )
        if isinstance(of, str):
            return class_index(of, self.class_names)
        number: Any = of.tolist() if isinstance(of, np.ndarray | np.generic | jax.Array) else of
        whole = isinstance(number, int | float) and not isinstance(number, bool) and number % 1 == 0
        if not whole or not 0 <= number < len(self.class_names):
            most = len(self.class_names) - 1
            raise InputError(f"classes: expected names, or integers from 0 to {most}, got {number!r}")
        return int(number)

    def _lost(
        self, image: np.ndarray, mask: np.ndarray | None, alpha: np.ndarray | None
    ) -> np.ndarray | None:
        """[h, w, 1], whether the image is lost there; None of a run that does not fill."""
        if not self.masked:
            if mask is not None:
                raise InputError("masks: expected none, as this run does not fill what is lost, got one")
            return None
        if mask is None:
            if alpha is None or alpha.all():
                raise InputError(
                    "masks: expected a mask, or transparent pixels, that say what is lost, as this run fills it, got "
                    "none; --masks FILE or FOLDER names them"
                )
            return alpha == 0
        mask = mask[..., 0] if mask.ndim == 3 else mask
        if mask.shape != image.shape[:2]:
            raise InputError(
                f"masks: expected one of the image's size {image.shape[0]}x{image.shape[1]}, got "
                f"{'x'.join(map(str, mask.shape))}"
            )
        return (mask != 0)[..., None]

    def _colours(self, values: np.ndarray, lost: np.ndarray | None, label: int | None) -> np.ndarray:
        """Values [h, w, k] in [-1, 1] -> those of what is made, [h', w', k']."""
        k, make = values.shape[2], lambda x: self._made(x, lost, label)
        if k == self._in:
            return make(values[None])[0]
        if self._in == 1 and self._out == 1:  # each colour for itself
            return np.moveaxis(make(np.moveaxis(values, 2, 0)[..., None])[..., 0], 0, 2)
        if self._in == 1:
            return make((values[..., :3] @ np.asarray(LUMA, np.float32))[None, ..., None])[0]
        if self._in == 3 and k == 1:
            made = make(values.repeat(3, 2)[None])[0]
            return made.mean(2, keepdims=True) if self._restores and self._out == 3 else made
        if self._in in (2, 4):  # trained with alpha: what has none is opaque
            if self._in == 2 and k > 2:
                grey = values[..., :3] @ np.asarray(LUMA, np.float32)
                values = np.concatenate([grey[..., None], values[..., 3:]], 2)
                k = values.shape[2]
            colours = values.repeat(3, 2) if self._in == 4 and k in (1, 2) else values[..., : self._in - 1]
            opaque = values[..., -1:] if k in (2, 4) else np.ones_like(values[..., :1])
            made = make(np.concatenate([colours[..., : self._in - 1], opaque], 2)[None])[0]
            return made if k in (2, 4) else made[..., :-1]
        raise InputError(f"images: expected {self._in} channels, as the run was trained on, got {k}")

    def _made(self, values: np.ndarray, lost: np.ndarray | None, label: int | None) -> np.ndarray:
        arrays = {self._source: values}
        if lost is not None:
            missing = np.broadcast_to(lost.astype(np.float32), (len(values), *lost.shape))
            arrays = {self._source: values * (1 - missing), "mask": missing}

        def make(tiles: Mapping[str, np.ndarray]) -> np.ndarray:
            told = {} if label is None else {LABEL: np.full(len(tiles[self._source]), label, np.int32)}
            return self._translator.apply(self._variables, {**tiles, **told}, self.direction, self._poll)

        return by_tiles(arrays, make, tile=self.tile, overlap=self.overlap, scale=self.scale)
