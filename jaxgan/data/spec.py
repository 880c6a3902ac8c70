"""What is known of data without having them: which arrays a batch holds, and what they stand for."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.data.modality import Modality, find_modality

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
        arrays = {}
        for name, x in data["spec"].items():
            try:
                arrays[name] = jax.ShapeDtypeStruct(
                    tuple(map(operator.index, x["shape"])), np.dtype(x["dtype"])
                )
            except (TypeError, KeyError) as error:
                raise InputError(
                    f"run: run.json is damaged: expected data.spec.{name} to be an object with shape and dtype, "
                    f"got {x!r}"
                ) from error
        if data["example"] not in arrays:
            raise InputError(
                f"run: run.json is damaged: expected data.example to be one of {', '.join(arrays)}, got "
                f"{data['example']!r}"
            )
        try:
            np.dtype(data["stored"])
        except TypeError as error:
            raise InputError(
                f"run: run.json is damaged: expected data.stored to be a type of numbers, got {data['stored']!r}"
            ) from error
        modality = find_modality(data["modality"])
        return cls(arrays, data["example"], data["n_classes"], data["stored"], modality)
