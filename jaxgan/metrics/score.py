"""What a score is: a number, and all that is needed to read it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, NamedTuple, Protocol

import numpy as np

from jaxgan.common.progress import counted
from jaxgan.metrics.catalogue import Kind

Generate = Callable[[int], np.ndarray]
"""n -> n examples. May have a method `batches(n, size)`: see `jaxgan.metrics.collect.batches_of`."""

Notify = Callable[[str, int, int], None]
"""Called with what is going on, how much of it is done, and how much there is to do."""


@dataclass(frozen=True)
class Score:
    """One number and what is needed to read it.

    Attributes:
      value: what the generator gets.
      floor: what real held-out data get in the generator's place: what a perfect generator would get. None
        if there are none.
      kind: what the number means, which way is better and where its scale ends.
      n_real: number of real examples used.
      n_fake: number of generated examples used.
      split: of the real examples, and what the floor was computed from.
      features: name and identity of the feature network, or "none".
      error: standard error, as far as it can be known from this one set of fakes; None if it cannot.
      protocol: settings that change the number, and how the error was got.
    """

    value: float
    floor: float | None
    kind: Kind
    _: KW_ONLY
    n_real: int
    n_fake: int
    split: str
    features: str
    error: float | None = None
    protocol: str = ""

    @property
    def better(self) -> str:
        """ "lower" or "higher"."""
        return self.kind.better

    def to_json(self) -> dict[str, Any]:
        """A plain dict, with what `jaxgan.metrics.catalogue.kind_of` reads; numbers that are not finite become None."""
        finite = lambda x: None if isinstance(x, float) and not math.isfinite(x) else x
        numbers = {
            field.name: finite(getattr(self, field.name)) for field in fields(self) if field.name != "kind"
        }
        return numbers | self.kind.to_json()


class HeldOut(NamedTuple):
    """What a generator gets against real examples that it was not trained on.

    Attributes:
      name: of these examples.
      n: number of them.
      scores: by the name of the score, what it is against these, and against as many training examples. The two are
        of one size, and so compare: a generator that repeats what it was trained on is nearer to the latter.
    """

    name: str
    n: int
    scores: Mapping[str, tuple[float, float]]

    def to_json(self) -> dict[str, Any]:
        """A plain dict; numbers that are not finite become None."""
        finite = lambda x: x if math.isfinite(x) else None
        scores = {
            name: {"held_out": finite(held_out), "train": finite(train)}
            for name, (held_out, train) in self.scores.items()
        }
        return {"name": self.name, "n": self.n, "scores": scores}


class Evaluation(NamedTuple):
    """What an evaluator says of a generator.

    Attributes:
      scores: all scores by name, the main one first.
      class_histogram: number of fakes that the feature network assigns to each class; None without classes.
      copies: the fakes that lie closest to a training example, measured by how far that one lies from its own
        neighbours, and those training examples: uint8 images [k, h, w, c] twice; None unless asked for.
      held_out: the scores against held-out examples; None where there are none.
    """

    scores: dict[str, Score]
    class_histogram: list[int] | None = None
    copies: tuple[np.ndarray, np.ndarray] | None = None
    held_out: HeldOut | None = None


class Measured(float):
    """A number with its standard error."""

    error: float

    def __new__(cls, value: float, error: float = 0.0) -> Measured:
        """Keeps both."""
        number = super().__new__(cls, value)
        number.error = error
        return number


class Evaluator(Protocol):
    """Scores any function n -> n generated examples.

    It may have a method `takes`: how many examples it scores where it is told to score n, for each n.
    """

    @property
    def main(self) -> str:
        """Name of the score that the best checkpoint is chosen by; lower is better. "" if there are no scores."""
        ...

    features: str
    """Name and identity of the feature network, or "none"."""
    cheap: bool
    """Whether all scores cost about as little as the main one."""

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """All scores on `n` examples."""
        ...

    def quick(self, generate: Generate, n: int) -> float:
        """The main score alone, without its floor; `Measured` where its error is known."""
        ...


def taken_by(evaluator: Any, n: int) -> int:
    """How many examples an evaluator scores where it is told to score n."""
    takes: Callable[[int], int] | None = getattr(evaluator, "takes", None)
    return n if takes is None else takes(n)


def said_of_fakes(evaluator: Any, n: int, made_of: int | None = None) -> str:
    """How many fakes are scored where n are asked for, in words.

    Args:
      evaluator: that scores them.
      n: how many.
      made_of: examples that they are made of, where fewer are taken again and again; None: each is of its own latent.
    """
    n = taken_by(evaluator, n)
    again = "" if made_of is None or made_of >= n else f", of {counted(made_of, 'image')} again and again"
    return f"{counted(n, 'fake')}{again}"


def name_on_the_way(evaluator: Evaluator, n: int, final_n: int) -> str:
    """What the main score of `n` fakes is called: NAME@N where final scores, of more fakes, do not compare with it.

    N is how many are scored, where there are not as many as n.
    """
    n, final_n = taken_by(evaluator, n), taken_by(evaluator, final_n)
    return evaluator.main if n == final_n else f"{evaluator.main}@{n}"


class Unscored:
    """In the place of scores, for data that nothing scores."""

    main, features, cheap = "", "none", True

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """No scores."""
        return Evaluation({})

    def quick(self, generate: Generate, n: int) -> float:
        """Not a number."""
        return math.nan
