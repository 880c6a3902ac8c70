"""Rows of arrays: read when they are asked for, decoded when they are asked for, and hashes of all."""

from __future__ import annotations

import abc
import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from jaxgan.common.errors import InputError

_PIECE = 2**24  # bytes that are in memory at a time where all rows are gone through


class Lazy(abc.ABC):
    """What stands for an array whose rows are read when they are asked for.

    It is indexed as the array is. Only the rows that the index of the first axis names are read, unless that is an
    ellipsis, or one of another axis an array: then all are.

    Attributes:
      shape: as of an array.
      dtype: as of an array.
      is_encoded: whether reading a row means to decode it.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, *, is_encoded: bool) -> None:
        """Reads nothing yet."""
        self.shape, self.dtype, self.is_encoded = shape, np.dtype(dtype), is_encoded
        self.ndim, self.size = len(shape), int(np.prod(shape, dtype=np.int64))
        self.nbytes = self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Number of rows."""
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """A row, or the rows of a slice, a mask or numbers, or parts of them."""
        first, *rest = index if isinstance(index, tuple) else (index,)
        simple = all(x is ... or isinstance(x, int | np.integer | slice) for x in rest)
        if first is ... or first is None or not simple:
            return np.asarray(self)[index]
        rows, is_one = self._at(first), not isinstance(first, slice) and np.ndim(first) == 0
        if not rest:
            return rows
        return rows[tuple(rest)] if is_one else rows[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of them, in memory."""
        found = np.asarray(self[:])
        return found if dtype is None else found.astype(dtype)

    @abc.abstractmethod
    def _at(self, index: Any) -> np.ndarray: ...


class Rows(Lazy):
    """Some rows of an array."""

    def __init__(self, array: Any, rows: np.ndarray) -> None:
        """Reads nothing yet; `rows` are numbers of rows of `array`, [n]."""
        if isinstance(array, Rows):
            array, rows = array._array, array._rows[rows]
        super().__init__((len(rows), *array.shape[1:]), array.dtype, is_encoded=encoded(array))
        self._array, self._rows = array, rows

    def _at(self, index: Any) -> np.ndarray:
        return self._array[self._rows[index]]


@dataclass(frozen=True)
class Undecoded:
    """Images that are decoded one by one, by several threads at a time.

    Attributes:
      n: their number.
      read: place -> pixels uint8 [height, width, channels], and the label or 0. It may raise anything.
      name: place -> what people find the image by.
    """

    n: int
    read: Callable[[int], tuple[np.ndarray, int]]
    name: Callable[[int], str]


class Encoded(Lazy):
    """Images that stay encoded where they are. Many at a time are decoded on all cores.

    That a row is still what it was is checked by its hash.
    """

    def __init__(
        self, images: Undecoded, places: np.ndarray, shape: tuple[int, ...], hashes: np.ndarray
    ) -> None:
        """Decodes nothing yet.

        Args:
          images: where they come from.
          places: of the rows, [n], among them.
          shape: of one image.
          hashes: of the rows, as of `row_hash`, [n].
        """
        super().__init__((len(places), *shape), np.uint8, is_encoded=True)
        self._images, self._places, self._hashes = images, places, hashes
        # Pillow's, of odd metadata; threads cannot each catch their own
        warnings.filterwarnings("ignore", module=r"PIL\.|jaxgan\.data\.pixels")

    def _at(self, index: Any) -> np.ndarray:
        places, hashes = self._places[index], self._hashes[index]
        if np.ndim(places) == 0:
            return self._decoded(int(places), int(hashes))
        found = np.empty((len(places), *self.shape[1:]), np.uint8)

        def fill(rows: range) -> None:
            for row in rows:
                found[row] = self._decoded(int(places[row]), int(hashes[row]))

        parts = [range(start, len(places), _WORKERS) for start in range(min(_WORKERS, len(places)))]
        if len(parts) < 2:
            for part in parts:
                fill(part)
        else:
            list(workers().map(fill, parts))
        return found

    def _decoded(self, place: int, known: int) -> np.ndarray:
        try:
            pixels, _ = self._images.read(place)
        except Exception as error:  # damaged images and archives surface as many types
            raise InputError(
                f"data.source: cannot read image {self._images.name(place)!r} any more ({_line(error)})"
            ) from error
        if pixels.shape != self.shape[1:] or row_hash(pixels) != known:
            raise InputError(
                f"data.source: image {self._images.name(place)!r} has changed since the data were opened; put it back, "
                "or start a new run"
            )
        return pixels


_WORKERS = os.cpu_count() or 2


@lru_cache(maxsize=1)
def workers() -> ThreadPoolExecutor:
    """The threads that decode images, as many as there are cores."""
    return ThreadPoolExecutor(_WORKERS, thread_name_prefix="decode")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=workers.cache_clear)  # where there are no threads


def encoded(array: Any) -> bool:
    """Whether reading a row of an array, or of what stands for one, means to decode it."""
    return isinstance(array, Lazy) and array.is_encoded


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


# --- all rows, piece by piece -------------------------------------------------------------------------


def row_hash(row: np.ndarray) -> int:
    """A hash of the bytes of one row, below 2^64."""
    return int.from_bytes(hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=8).digest(), "big")


def pieces(array: Any) -> Iterator[np.ndarray]:
    """All rows in their order, some at a time: a memory map is read piece by piece."""
    step = max(1, _PIECE * len(array) // max(array.nbytes, 1))
    for start in range(0, len(array), step):
        yield np.asarray(array[start : start + step])


def digest_of(dtype: Any, shape: tuple[int, ...], digest: Any = None) -> Any:
    """A hash that an array of this type and shape begins with, after another one: the bytes of its rows come next."""
    digest = hashlib.sha256() if digest is None else digest
    digest.update(f"{np.dtype(dtype).str}{shape}".encode())
    return digest


def fingerprint(*arrays: Any) -> str:
    """SHA-256 (hexadecimal) of the type, shape and bytes of arrays; None stands for one that is not there."""
    return finished(hashlib.sha256(), *arrays)


def finished(digest: Any, *arrays: Any) -> str:
    """The hexadecimal digits of a hash, as of `fingerprint`, after these further arrays."""
    for array in arrays:
        if array is None:
            digest.update(b"none")
            continue
        digest_of(array.dtype, array.shape, digest)
        for piece in pieces(array):
            digest.update(np.ascontiguousarray(piece).tobytes())
    return digest.hexdigest()


def range_of(x: Any) -> str:
    """The smallest and largest value of an array and their mean, in words."""
    lows, highs, total = [], [], 0.0
    for piece in pieces(x):
        lows.append(piece.min())
        highs.append(piece.max())
        total += float(piece.sum(dtype=np.float64))
    low, high, mean = min(lows), max(highs), total / x.size
    if np.issubdtype(x.dtype, np.integer):
        return f"{low} to {high}, mean {mean:.1f}"
    return f"{low:.3f} to {high:.3f}, mean {mean:.3f}"
