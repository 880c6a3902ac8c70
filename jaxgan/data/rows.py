"""Rows of arrays: some of them, left where they are, and a hash of all."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np


class Rows:
    """Rows of an array, read when they are asked for. It is indexed along its first axis only."""

    def __init__(self, array: np.ndarray, rows: np.ndarray) -> None:
        """Reads nothing yet; `rows` are numbers of rows of `array`, [n]."""
        self._array, self._rows = array, rows
        self.dtype, self.shape = array.dtype, (len(rows), *array.shape[1:])
        self.ndim, self.size = array.ndim, int(np.prod(self.shape, dtype=np.int64))
        self.nbytes = self.size * array.dtype.itemsize

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        """A row, or the rows of a slice, a mask or numbers."""
        first, *rest = index if isinstance(index, tuple) else (index,)
        rows = self._array[self._rows[first]]
        return rows[(slice(None), *rest)] if rest else rows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of them, in memory."""
        found = np.asarray(self._array[self._rows])
        return found if dtype is None else found.astype(dtype)


def fingerprint(*arrays: Any) -> str:
    """SHA-256 (hexadecimal) of the type, shape and bytes of arrays; None stands for one that is not there."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is None:
            digest.update(b"none")
            continue
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        for start in range(0, len(array), 4096):  # a memory map is read piece by piece
            digest.update(np.ascontiguousarray(array[start : start + 4096]).tobytes())
    return digest.hexdigest()
