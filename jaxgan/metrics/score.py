"""What a score is: a number, and all that is needed to read it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

Generate = Callable[[int], np.ndarray]
"""n -> n examples. May have a method `batches(n, size)`: see `jaxgan.metrics.collect.batches_of`."""

Notify = Callable[[str, int, int], None]
"""Called with what is going on, how much is done, and how much there is."""


@dataclass(frozen=True)
class Score:
    """One number and what is needed to read it.

    Attributes:
      value: of the generator.
      floor: of real held-out data in the generator's place: what a perfect generator would get.
      better: "lower" or "higher".
      n_real: real examples used.
      n_fake: generated examples used.
      split: of the real examples, and what the floor was computed from.
      features: network and the hash of its weights, or "none".
      error: standard error, as far as it can be known from this one set of fakes; None if it cannot.
      protocol: settings that change the number, and how the error was got.
    """

    value: float
    floor: float | None
    better: str
    n_real: int
    n_fake: int
    split: str
    features: str
    error: float | None = None
    protocol: str = ""

    def to_json(self) -> dict[str, Any]:
        """A plain dict; infinite and undefined numbers become None."""
        finite = lambda x: None if isinstance(x, float) and not math.isfinite(x) else x
        return {name: finite(value) for name, value in asdict(self).items()}


class Evaluation(NamedTuple):
    """What an evaluator says of a generator.

    Attributes:
      scores: by name, the main one first.
      class_histogram: fakes that the feature network assigns to each class; None without classes.
      paired: by name of score, one number for each real example or subset of them (the same ones for every
        generator), whose mean is the score: what two generators are compared by.
      copies: the fakes that lie closest to a training example for its surroundings, and these: uint8
        images [k, h, w, c] twice; None unless asked for.
    """

    scores: dict[str, Score]
    class_histogram: list[int] | None = None
    paired: Mapping[str, np.ndarray] = MappingProxyType({})
    copies: tuple[np.ndarray, np.ndarray] | None = None


class Evaluator(Protocol):
    """Scores any function n -> n generated examples."""

    main: str
    """Name of the score that the best checkpoint is chosen by; lower is better. "" if there are no scores."""
    features: str
    """Network and the hash of its weights, or "none"."""
    cheap: bool
    """Whether all scores cost about as little as the main one."""

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """All scores on `n` examples."""
        ...

    def quick(self, generate: Generate, n: int) -> float:
        """The main score alone, without its floor."""
        ...


class Unscored:
    """In the place of scores, for data that nothing scores."""

    main, features, cheap = "", "none", True

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """No scores."""
        return Evaluation({})

    def quick(self, generate: Generate, n: int) -> float:
        """Not a number."""
        return math.nan
