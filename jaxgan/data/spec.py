"""What is known of data without having them: which arrays a batch holds, and what they stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.data.modality import Modality, find_modality, modality_of

LABEL = "label"
"""Name of the array of classes, int32, which no modality converts."""


@dataclass(frozen=True)
class Spec:
    """The arrays of a batch, in the form in which the step has them.

    Attributes:
      arrays: name -> shape and type of one example.
      example: name of the array that the game models.
      n_classes: number of values of the array "label"; 0 without classes.
      stored: type of the modelled examples outside of the step, such as "uint8".
      modality: of the modelled examples.
    """

    arrays: Mapping[str, jax.ShapeDtypeStruct]
    example: str
    n_classes: int
    stored: str
    modality: Modality

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example of the array that the game models."""
        return self.arrays[self.example].shape

    def batch(self, n: int = 1) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes and types of a batch of n examples."""
        return {name: jax.ShapeDtypeStruct((n, *x.shape), x.dtype) for name, x in self.arrays.items()}

    def from_model(self, x: jax.Array) -> jax.Array:
        """Turns what the model makes into examples as they are stored."""
        return self.modality.from_model(x, np.dtype(self.stored))

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `from_json` reads back."""
        return {
            "modality": self.modality.name,
            "bounded": self.modality.bounded,
            "example": self.example,
            "stored": self.stored,
            "n_classes": self.n_classes,
            "spec": {
                name: {"shape": list(x.shape), "dtype": str(x.dtype)} for name, x in self.arrays.items()
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """The spec in "data" of run.json.

        Raises:
          InputError: if a version of jaxgan wrote it that described data in another way.
        """
        if missing := {"modality", "example", "stored", "n_classes", "spec"} - data.keys():
            raise InputError(
                f"run: expected {min(missing)!r} among the data in run.json, which an older version of jaxgan did not "
                "write; train the run again"
            )
        arrays = {name: _array(name, x) for name, x in data["spec"].items()}
        if data["example"] not in arrays:
            raise _damaged("data.example", f"one of {', '.join(arrays)}", data["example"])
        stored = data["stored"]
        if stored not in _TYPES:
            raise _damaged("data.stored", "a type of numbers", stored)
        # Networks of runs that do not say it were built as the shape alone suggests.
        bounded = data.get("bounded", modality_of(arrays[data["example"]].shape).bounded)
        modality = find_modality(data["modality"]).within(bounded)
        return cls(arrays, data["example"], data["n_classes"], stored, modality)


_TYPES = frozenset(
    f"{kind}{bits}" for kind, sizes in (("uint", (8, 16, 32, 64)), ("int", (8, 16, 32, 64)), ("float", (16, 32, 64)))
    for bits in sizes
) | {"bool", "bfloat16", "complex64", "complex128"}  # fmt: skip
_LONGEST, _LARGEST = 8, 2**31  # axes and numbers of one example


def _array(name: str, entry: Any) -> jax.ShapeDtypeStruct:
    what = f"data.spec.{name}"
    if not isinstance(entry, Mapping) or not {"shape", "dtype"} <= entry.keys():
        raise _damaged(what, "an object with shape and dtype", entry)
    shape, dtype = entry["shape"], entry["dtype"]
    if not isinstance(shape, list | tuple) or not all(type(side) is int and side > 0 for side in shape):
        raise _damaged(f"{what}.shape", "a list of whole numbers from 1 on", shape)
    if len(shape) > _LONGEST or math.prod(shape) > _LARGEST:
        raise _damaged(f"{what}.shape", f"at most {_LONGEST} axes and {_LARGEST:,} numbers", shape)
    if not isinstance(dtype, str) or dtype not in _TYPES:
        raise _damaged(f"{what}.dtype", "a type of numbers", dtype)
    return jax.ShapeDtypeStruct(tuple(shape), np.dtype(dtype))


def _damaged(what: str, expected: str, got: Any) -> InputError:
    return InputError(f"run: run.json is damaged: expected {what} to be {expected}, got {str(got)[:60]!r}")
