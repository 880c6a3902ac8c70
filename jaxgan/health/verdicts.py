"""Verdicts: what the records of a run say is wrong with it.

Thresholds that say "measured" come from short runs on MNIST and the ring, healthy and made to fail,
those of tests/test_health.py among them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from jaxgan.health.advice import Settings, advice_for

Record = Mapping[str, Any]

LOOKS = 3
"""Scores on the way in a row that must agree: one or two bad ones are noise."""
MIN_DIVERSITY = 0.3
"""Two fakes to two reals. Measured: healthy runs 0.48 (early, blurred digits) to 1.1, collapsed ones 0.05 to 0.25."""
MIN_PRECISION = 0.5
"""Only fakes that look real can be too few of them; others are just bad."""
MIN_COVERED = 0.25
"""Coverage over precision. Equal distributions have 0.97 (Naeem et al. 2020: 1 - 2^-k, k = 5). Measured: healthy
runs 0.43 to 0.9, digit generators with few modes 0.08 to 0.16."""
MAX_OVERFITTING = 0.5
"""Half of D's lead on fakes is memory. r_v is 0 without overfitting and 1 with nothing else (Karras et al.
2020). Measured: at most 0.13 in healthy runs, 0.57 to 1.09 on 64 digits."""
MIN_WINS = 0.98
"""Accuracy of a discriminator that wins: a perfect one leaves no useful gradient (Arjovsky, Bottou 2017,
theorems 2.4 and 2.6)."""
WINNING_RECORDS, WINNING_STEPS = 5, 500
"""How long it must win: discriminators of healthy runs win the first few hundred steps."""
IMPROVED = 0.9
"""A generator whose score fell by a tenth since the last one learns, whatever D's accuracy."""
GROWTH = 100.0
"""Times the median of the first records, and 100 at least: means over many steps do not vary like that."""
FIRST_RECORDS = 10
"""Records that are the run's own measure of losses and gradients."""
MAX_GAP = 1000.0
"""Of D's mean logits of reals and fakes. A 1-Lipschitz critic of images of 256x256x3 pixels in [-1, 1]
cannot reach it (their largest distance is 887), and as log odds it is exp(1000)."""
GROWN_RECORDS, GROWN_STEPS = 3, 50
"""How long something must have grown."""
WORSE = 3.0
"""Times the best score. Measured: a healthy run on the ring ended at 2.5 times its best, by luck of the mode weights;
StudioGAN's DCGAN on CIFAR-10, past its best for 160,000 steps, at 2.8 (FID 49.0 and 137.4)."""
WORSE_NOISE = 3.0
"""Standard errors of the difference: near 0, the lowest of many divergences is a small part of the usual one."""
WORSE_NATS = 0.1
"""Of divergences over modes, by which the mode weights of healthy runs wander: a tenth of the modes is gone."""


@dataclass(frozen=True)
class Verdict:
    """Something that is wrong.

    Attributes:
      name: one of `jaxgan.health.advice.ADVICE`.
      evidence: the numbers, in a sentence.
      advice: what usually helps.
      since: step at which it began; None of one that is said of the final scores.
    """

    name: str
    evidence: str
    advice: str
    since: int | None

    @property
    def when(self) -> str:
        """Since when it stands, in words."""
        return "at the end" if self.since is None else f"since step {self.since:,}"


def diagnose(
    history: Iterable[Record],
    *,
    judged: bool = True,
    unread: Collection[str] | None = (),
    settings: Settings | None = None,
) -> list[Verdict]:
    """What stands at the end of a history: the records of metrics.jsonl, oldest first.

    A verdict begins once its condition has held in several records in a row, and ends once it has not
    for as many. Records without the numbers that a condition needs say nothing of it.

    Args:
      history: the records.
      judged: as of `advice_for`.
      unread: as of `advice_for`.
      settings: as of `advice_for`.
    """
    diagnosis = Diagnosis(judged=judged, unread=unread, settings=settings)
    for record in history:
        diagnosis.add(record)
    return diagnosis.verdicts()


def looks(history: Iterable[Record]) -> int:
    """How often a state was looked at: records with a score or with what the monitors saw."""
    return sum(map(_is_look, history))


def _is_look(record: Record) -> bool:
    return record.get("score") is not None or any(name.startswith("health/") for name in record)


def summary(verdicts: Sequence[Verdict], looked: int = LOOKS, *, scored: bool = False) -> str:
    """One line.

    Args:
      verdicts: what stands.
      looked: how often the run was looked at; what lasts fewer than `LOOKS` looks is not judged.
      scored: whether the final scores were judged as well.
    """
    if verdicts:
        return "health: " + "; ".join(f"{v.name} ({v.when}): {v.evidence}" for v in verdicts)
    if looked >= LOOKS:
        return "health: nothing wrong was seen"
    end = "; nothing is wrong with the final scores" if scored else ""
    return f"health: not judged yet: {looked} of {LOOKS} looks{end}"


class Diagnosis:
    """`diagnose` one record at a time, so that a long run does not read its history again and again."""

    def __init__(
        self, *, judged: bool = True, unread: Collection[str] | None = (), settings: Settings | None = None
    ) -> None:
        """Of nothing yet; `judged`, `unread` and `settings` are as of `advice_for`."""
        self.looks = 0
        self._advice = partial(advice_for, judged=judged, unread=unread, settings=settings)
        self._conditions: dict[str, _Condition] = {
            "mode collapse": _Collapse(),
            "discriminator overfits": _Overfits(),
            "generator starves": _Starves(),
            "diverging": _Diverges(),
        }

    def add(self, record: Record) -> None:
        """The next record."""
        self.looks += _is_look(record)
        for condition in self._conditions.values():
            condition.add(record)

    def verdicts(self) -> list[Verdict]:
        """What stands after the last record."""
        seen = ((name, condition.seen()) for name, condition in self._conditions.items())
        return [
            Verdict(name, since[1], self._advice(name), since[0]) for name, since in seen if since is not None
        ]


class Standing:
    """Since when a condition stands: noise neither begins it nor ends it.

    It begins with `records` in a row over at least `steps` steps in which it holds, and ends after
    as many records in which it does not.
    """

    def __init__(self, records: int, steps: int = 0) -> None:
        """It does not stand yet."""
        self.since: int | None = None
        self._records, self._steps = records, steps
        self._first, self._held, self._calm = 0, 0, 0

    def add(self, step: int, holds: bool) -> None:
        """The next record: its step, and whether the condition holds in it."""
        if not holds:
            self._held, self._calm = 0, self._calm + 1
            if self._calm >= self._records:
                self.since = None
            return
        self._first = step if self._held == 0 else self._first
        self._held, self._calm = self._held + 1, 0
        if self.since is None and self._held >= self._records and step - self._first >= self._steps:
            self.since = self._first


_Seen = tuple[int, str] | None  # step and evidence


class _Condition(Protocol):
    def add(self, record: Record) -> None: ...
    def seen(self) -> _Seen: ...


class _Collapse:
    def __init__(self) -> None:
        self._stands, self._last = Standing(LOOKS), {}

    def add(self, record: Record) -> None:
        if "health/diversity" in record:
            self._last = record
            self._stands.add(record["step"], self._alike(record) or self._narrow(record))

    @staticmethod
    def _alike(record: Record) -> bool:
        return record["health/diversity"] < MIN_DIVERSITY

    @staticmethod
    def _narrow(record: Record) -> bool:
        precision, coverage = record.get("health/precision", 0.0), record.get("health/coverage", 1.0)
        return precision >= MIN_PRECISION and coverage < MIN_COVERED * precision

    def seen(self) -> _Seen:
        if self._stands.since is None:
            return None
        last = self._last
        evidence = f"two fakes are {last['health/diversity']:.2g} times as far apart as two reals"
        if {"health/coverage", "health/precision"} <= last.keys():
            evidence += (
                f"; on the fixed sets, {last['health/precision']:.0%} of the fakes look real, and "
                f"{last['health/coverage']:.0%} of the reals have one nearby"
            )
        return self._stands.since, evidence


class _Overfits:
    def __init__(self) -> None:
        self._stands, self._last = Standing(LOOKS), 0.0

    def add(self, record: Record) -> None:
        if "health/overfitting" in record:
            self._last = record["health/overfitting"]
            self._stands.add(record["step"], self._last > MAX_OVERFITTING)

    def seen(self) -> _Seen:
        if self._stands.since is None:
            return None
        share = f"{self._last:.0%} of the discriminator's lead on fakes"
        return self._stands.since, f"{share} is gone on reals that it was not trained on"


class _Starves:
    def __init__(self) -> None:
        self._stands, self._first = Standing(WINNING_RECORDS, WINNING_STEPS), _First()
        self._last: Record = {}
        self._score, self._improved = None, False

    def add(self, record: Record) -> None:
        if (score := record.get("score")) is not None:
            self._improved = self._score is not None and score < IMPROVED * self._score
            self._score = score
        if "d/accuracy" in record:
            self._last = record
            self._first.add(record.get("g/grad_norm", 0.0))
            self._stands.add(record["step"], record["d/accuracy"] >= MIN_WINS and not self._improved)

    def seen(self) -> _Seen:
        if self._stands.since is None:
            return None
        evidence = f"the discriminator is right on {self._last['d/accuracy']:.1%} of reals and fakes"
        if self._first.median > 0:
            ratio = self._last.get("g/grad_norm", 0.0) / self._first.median
            evidence += f"; the generator's gradient is {ratio:.2g} times as long as at the start"
        if self._score is not None:
            evidence += f"; its score does not improve ({_short(self._score)})"
        return self._stands.since, evidence


class _Diverges:
    def __init__(self) -> None:
        names = ("d/loss", "g/loss", "d/grad_norm", "g/grad_norm")
        self._parts: list[_Condition] = [_Apart(), *map(_Grown, names), _Worse()]

    def add(self, record: Record) -> None:
        for part in self._parts:
            part.add(record)

    def seen(self) -> _Seen:
        found = [seen for part in self._parts if (seen := part.seen()) is not None]
        return (min(since for since, _ in found), "; ".join(text for _, text in found)) if found else None


class _Apart:
    def __init__(self) -> None:
        self._stands, self._gap = Standing(GROWN_RECORDS, GROWN_STEPS), 0.0

    def add(self, record: Record) -> None:
        if {"d/real_logits", "d/fake_logits"} <= record.keys():
            self._gap = record["d/real_logits"] - record["d/fake_logits"]
            self._stands.add(record["step"], abs(self._gap) > MAX_GAP)

    def seen(self) -> _Seen:
        since = self._stands.since
        return None if since is None else (since, f"logits of reals and fakes are {_short(self._gap)} apart")


class _Grown:
    def __init__(self, name: str) -> None:
        self._name, self._value = name, 0.0
        self._stands, self._first = Standing(GROWN_RECORDS, GROWN_STEPS), _First()

    def add(self, record: Record) -> None:
        if self._name not in record:
            return
        self._value = record[self._name]
        if self._first.add(self._value):
            return
        self._stands.add(record["step"], abs(self._value) > GROWTH * max(self._first.median, 1.0))

    def seen(self) -> _Seen:
        if self._stands.since is None:
            return None
        first = _short(self._first.median)
        return self._stands.since, f"{self._name} is {_short(self._value)}, and was {first} at first"


class _Worse:
    def __init__(self) -> None:
        self._stands, self._best, self._score = Standing(LOOKS), math.inf, math.inf
        self._error, self._name = 0.0, ""  # error of the best; name of the score

    def add(self, record: Record) -> None:
        if record.get("score") is None:
            return
        name = record.get("score_name", "")
        if name != self._name:  # another score than before
            self._stands, self._best, self._error, self._name = Standing(LOOKS), math.inf, 0.0, name
        self._score, error = record["score"], record.get("score_error") or 0.0
        least = WORSE_NATS if name.partition("@")[0].endswith("_kl") else 0.0
        clear = self._score - self._best > max(WORSE_NOISE * math.hypot(error, self._error), least)
        self._stands.add(record["step"], self._score > WORSE * self._best > 0 and clear)
        if self._score < self._best:
            self._best, self._error = self._score, error

    def seen(self) -> _Seen:
        if self._stands.since is None:
            return None
        return (
            self._stands.since,
            f"the score is {_short(self._score)}, and was {_short(self._best)} at its best",
        )


class _First:
    """Median size of the first values: the run's own measure."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self.median = 0.0

    def add(self, value: float) -> bool:
        """Whether the value is one of them."""
        if len(self._values) == FIRST_RECORDS:
            return False
        self._values.append(abs(value))
        self.median = statistics.median(self._values)
        return True


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 or abs(value) >= 1e6 else f"{value:,.0f}"
