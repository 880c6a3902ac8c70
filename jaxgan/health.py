"""What goes wrong in a run, seen early: monitors of a state, and verdicts on a history of records.

`Monitors` looks at a state on small fixed sets, at the scores on the way; it changes nothing and draws
nothing from the run's own random numbers. `diagnose` is a pure function of the records of
metrics.jsonl, so a resumed run comes to the same verdicts.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import dynamics, keys
from jaxgan.data import Images, Source, other_split, to_float
from jaxgan.losses import Loss
from jaxgan.metrics import prdc
from jaxgan.metrics.features import features_for
from jaxgan.precision import at_least_float32
from jaxgan.sampling import Sampler
from jaxgan.state import GAN, GANState, Player

Array = jax.Array
Record = Mapping[str, Any]

MEANINGS = {
    "health/real_sign": "mean sign of D on training reals (r_t of ADA): near 1, D is sure of all of them",
    "health/overfitting": "share of D's lead on fakes that held-out reals do not have (r_v of ADA): 0 none, 1 all",
    "health/ema_distance": "relative distance of the averaged from the current generator's parameters",
    "health/diversity": "mean distance of two fakes over that of two reals, in features: 1 as varied, 0 all alike",
    "health/precision": "share of fakes that lie among the reals: fidelity",
    "health/recall": "share of reals that lie among the fakes: variety",
    "health/coverage": "share of reals with a fake nearby: variety",
}
_SEED = 20200611  # of the fixed sets: the same in every run
_FIRST_LATENT = 3_000_000  # seeds of the fixed fakes: apart from those of grids and scores
_NEIGHBOURS = 5
# r_v divides by D's lead on fakes: below so many standard errors of that lead it is a ratio of noise.
_CLEAR_LEAD = 5.0


# --- monitors ------------------------------------------------------------------------------------


def real_sign(loss: Loss) -> Callable[[Array], Array] | None:
    """logits of reals -> mean sign E[sign D(x)] about the loss's own threshold, in [-1, 1].

    None where the sign of a single logit says nothing: without `Loss.accuracy` (Wasserstein, features),
    and where accuracy compares logits with each other (relativistic losses, which a shift of all
    logits does not change).

    References:
      Karras et al. (2020), Training generative adversarial networks with limited data, eq. 1: r_t.
    """
    accuracy = loss.accuracy
    if accuracy is None:
        return None
    high = jnp.full((1,), 1e6)
    if float(accuracy(high, 2 * high).mean()) == 0:  # a higher fake makes this real wrong: they are compared
        return None
    # A fake at infinity is never right, so twice this is the share of reals that are.
    return lambda real: 4 * accuracy(real, jnp.full_like(real, jnp.inf)).mean() - 1


def overfitting(train: np.ndarray, held_out: np.ndarray, fake: np.ndarray) -> float | None:
    """r_v = (E[D(train)] - E[D(held-out)]) / (E[D(train)] - E[D(fake)]), of logits [n] each.

    Scaling all logits, or adding a number to them, changes nothing.

    Returns:
      About 0 where D knows its training reals no better than others, 1 where it takes all others for
      fakes; None where D does not tell training reals from fakes by five standard errors.

    References:
      Karras et al. (2020), Training generative adversarial networks with limited data, eq. 1: r_v.
    """
    lead = train.mean() - fake.mean()
    error = math.sqrt(train.var() / len(train) + fake.var() / len(fake))
    if not lead > _CLEAR_LEAD * error:
        return None
    return float((train.mean() - held_out.mean()) / lead)


def mean_distance(x: np.ndarray) -> float:
    """Mean Euclidean distance of two different rows of x [n, d]."""
    x = np.asarray(x, np.float64)
    x = x - x.mean(0)  # distances stay; what is subtracted below becomes small
    squares = np.square(x).sum(1)
    squared = np.maximum(squares[:, None] + squares[None] - 2 * x @ x.T, 0.0)
    np.fill_diagonal(squared, 0.0)
    return float(np.sqrt(squared).sum() / (len(x) * (len(x) - 1)))


@dataclass(frozen=True)
class _Examples:
    x: np.ndarray  # uint8 images or float32 points
    label: np.ndarray | None

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, size: int) -> Iterable[_Examples]:
        """Whole ones only, as the discriminator never sees others."""
        for start in range(0, len(self.x) - size + 1, size):
            rows = slice(start, start + size)
            yield _Examples(self.x[rows], None if self.label is None else self.label[rows])


def _some(source: Source, n: int) -> _Examples:
    """n examples at random, without replacement, the same in every run."""
    if not isinstance(source, Images):
        draw = jax.jit(lambda key: source.sample(key, n)[0])
        return _Examples(np.asarray(draw(jax.random.key(_SEED))), None)
    chosen = np.random.default_rng(_SEED).permutation(len(source))[:n]
    label = None if source.labels is None else np.asarray(source.labels[chosen], np.int32)
    return _Examples(np.asarray(source.images[chosen]), label)


class Monitors:
    """Looks at states of one GAN on its data: a state -> finite numbers by name, those of MEANINGS.

    The discriminator judges whole batches of the size it trains on, with the statistics, noise and packs
    of its training, and the current generator's fakes; variety is that of the averaged generator.
    What has no meaning is left out: signs for losses without a threshold, overfitting without held-out
    examples, and both for losses of features.
    """

    def __init__(self, gan: GAN, source: Source, sampler: Sampler, n: int, batch_size: int) -> None:
        """Nothing is computed yet.

        Args:
          gan: static half of the states.
          source: their data.
          sampler: of their averaged generator.
          n: examples of each set, at most.
          batch_size: examples of one discriminator update.
        """
        self._gan, self._source, self._sampler = gan, source, sampler
        self._asked = n
        self._n = min(n, len(source)) if isinstance(source, Images) else n
        self._batch = min(batch_size, self._n) // gan.dynamics.pack * gan.dynamics.pack
        self._features = features_for(source) if isinstance(source, Images) else None
        claim = gan.loss.claim
        self._judges = self._batch > 0 and not (claim is not None and claim.constraint == "features")
        sign = real_sign(gan.loss) if self._judges else None
        self._sign = None if sign is None else jax.jit(sign)
        self._judge, self._judge_fakes = jax.jit(self._logits), jax.jit(self._fake_logits)
        self._drift = jax.jit(_drift)

    def __call__(self, state: GANState) -> dict[str, float]:
        """The numbers of `state`, which is left as it is."""
        found = {"ema_distance": float(self._drift(state.ema["params"], state.generator.params))}
        found |= self._of_discriminator(state) | self._of_variety(state)
        return {f"health/{name}": value for name, value in found.items() if math.isfinite(value)}

    # --- the discriminator ---

    def _of_discriminator(self, state: GANState) -> dict[str, float]:
        found: dict[str, float] = {}
        if not self._judges or (self._sign is None and self._others is None):
            return found
        real = self._on(self._reals, state)
        if self._sign is not None:
            found["real_sign"] = float(self._sign(jnp.asarray(real)))
        if self._others is not None:
            ratio = overfitting(*map(_flat, (real, self._on(self._others, state), self._on_fakes(state))))
            if ratio is not None:
                found["overfitting"] = ratio
        return found

    def _on(self, examples: _Examples, state: GANState) -> np.ndarray:
        parts = [
            np.asarray(self._judge(state.discriminator, state.step, part.x, part.label, i))
            for i, part in enumerate(examples.batches(self._batch))
        ]
        return np.concatenate(parts)

    def _on_fakes(self, state: GANState) -> np.ndarray:
        parts = [
            np.asarray(self._judge_fakes(state.generator, state.discriminator, state.step, part.label, i))
            for i, part in enumerate(self._reals.batches(self._batch))
        ]
        return np.concatenate(parts)

    def _logits(self, d: Player, step: Array, x: Array, label: Array | None, part: Array) -> Array:
        rules = self._gan.dynamics
        if x.dtype == jnp.uint8:
            x = to_float(x)
        if rules.instance_noise is not None:
            x = dynamics.noisy(x, rules.instance_noise(step), self._example_keys(2 * part + 1))
        if label is not None:
            label = label[:: rules.pack]
        return at_least_float32(
            _as_trained(self._gan.discriminator, d, dynamics.packed(x, rules.pack), label)
        )

    def _fake_logits(self, g: Player, d: Player, step: Array, label: Array | None, part: Array) -> Array:
        z = self._gan.latent.sample(self._example_keys(2 * part), self._batch)
        return self._logits(d, step, _as_trained(self._gan.generator, g, z, label), label, part)

    def _example_keys(self, stream: Array) -> Array:
        return keys.per_example(jax.random.fold_in(jax.random.key(_SEED), stream), self._batch)

    # --- variety ---

    def _of_variety(self, state: GANState) -> dict[str, float]:
        if self._n < 2:
            return {}
        real, spread = self._real_features
        fake = self._embedded(self._sampler.stream(state.ema, _FIRST_LATENT)(self._n))
        found = {"diversity": mean_distance(fake) / spread} if spread > 0 else {}
        if self._n > _NEIGHBOURS:
            scores = prdc(real, fake, k=_NEIGHBOURS)
            found |= {name: scores[name] for name in ("precision", "recall", "coverage")}
        return found

    def _embedded(self, x: np.ndarray) -> np.ndarray:
        return x if self._features is None else self._features(x)[0]

    # --- the fixed sets ---

    @cached_property
    def _reals(self) -> _Examples:
        return _some(self._source, self._n)

    @cached_property
    def _others(self) -> _Examples | None:
        if not isinstance(self._source, Images):  # drawn anew for ever: there is nothing to know by heart
            return None
        other = other_split(self._source)
        if (
            other is None
            or (other.labels is None) != (self._source.labels is None)
            or len(other) < self._batch
        ):
            return None
        return _some(other, max(self._asked, self._batch))

    @cached_property
    def _real_features(self) -> tuple[np.ndarray, float]:
        features = self._embedded(self._reals.x)
        return features, mean_distance(features)


@lru_cache(maxsize=1)
def monitors_of(gan: GAN, source: Source, sampler: Sampler, n: int, batch_size: int) -> Monitors:
    """`Monitors`, shared by all who ask for the same: members of an ensemble compile them once."""
    return Monitors(gan, source, sampler, n, batch_size)


def _as_trained(module: Any, player: Player, x: Array, label: Array | None) -> Array:
    """A network's answer in training mode; what it would remember of it is dropped."""
    variables = {"params": player.params, **player.stats}
    return module.apply(variables, x, label, train=True, mutable=list(player.stats))[0]


def _drift(average: Any, current: Any) -> Array:
    return optax.tree.norm(optax.tree.sub(average, current)) / jnp.maximum(optax.tree.norm(current), 1e-12)


def _flat(logits: np.ndarray) -> np.ndarray:
    """One number an example, float64."""
    return logits.reshape(len(logits), -1).mean(1, dtype=np.float64)


# --- verdicts ------------------------------------------------------------------------------------
#
# Thresholds that say "measured" come from short runs on MNIST and the ring, healthy and made to fail,
# those of tests/test_health.py among them.

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

_ADVICE = {
    "mode collapse": (
        "Lower the generator's learning rate or raise the discriminator's; add r1 or gradient_penalty; try a "
        "relativistic loss, or dynamics.pack 2, which lets the discriminator see variety."
    ),
    "discriminator overfits": (
        "More data or augmentation (data.flip true) helps most; then a stronger r1 or lecam penalty, a smaller "
        "discriminator, or the best checkpoint instead of the last."
    ),
    "generator starves": (
        "Slow the discriminator down: a lower d_optimizer.learning_rate, d_steps 1, a smaller network; smooth it "
        "with r1 or spectral normalisation; of minimax, change to non_saturating; check that the generator's "
        "learning rate is not far below the discriminator's."
    ),
    "diverging": (
        "Lower both learning rates; bound the discriminator (r1, gradient_penalty, spectral normalisation), which a "
        "Wasserstein loss cannot do without; lower b1 (0 or 0.5). The best checkpoint is kept."
    ),
}


@dataclass(frozen=True)
class Verdict:
    """Something that is wrong.

    Attributes:
      name: "mode collapse", "discriminator overfits", "generator starves" or "diverging".
      evidence: the numbers, in a sentence.
      advice: what usually helps.
      since: step at which it began.
    """

    name: str
    evidence: str
    advice: str
    since: int


def diagnose(history: Iterable[Record]) -> list[Verdict]:
    """What stands at the end of a history: the records of metrics.jsonl, oldest first.

    A verdict begins once its condition has held in several records in a row, and ends once it has not
    for as many. Records without the numbers that a condition needs say nothing of it.
    """
    diagnosis = Diagnosis()
    for record in history:
        diagnosis.add(record)
    return diagnosis.verdicts()


def summary(verdicts: Sequence[Verdict]) -> str:
    """One line."""
    if not verdicts:
        return "health: nothing wrong was seen"
    return "health: " + "; ".join(f"{v.name} (since step {v.since:,}): {v.evidence}" for v in verdicts)


class Diagnosis:
    """`diagnose` one record at a time, so that a long run does not read its history again and again."""

    def __init__(self) -> None:
        """Of nothing yet."""
        self._conditions: dict[str, _Condition] = {
            "mode collapse": _Collapse(),
            "discriminator overfits": _Overfits(),
            "generator starves": _Starves(),
            "diverging": _Diverges(),
        }

    def add(self, record: Record) -> None:
        """The next record."""
        for condition in self._conditions.values():
            condition.add(record)

    def verdicts(self) -> list[Verdict]:
        """What stands after the last record."""
        seen = ((name, condition.seen()) for name, condition in self._conditions.items())
        return [Verdict(name, since[1], _ADVICE[name], since[0]) for name, since in seen if since is not None]


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
        precision = record.get("health/precision", 0.0)
        return precision >= MIN_PRECISION and record["health/coverage"] < MIN_COVERED * precision

    def seen(self) -> _Seen:
        if self._stands.since is None:
            return None
        last = self._last
        evidence = f"two fakes are {last['health/diversity']:.2g} times as far apart as two reals"
        if "health/coverage" in last:
            evidence += (
                f"; {last['health/precision']:.0%} of the fakes look real, and {last['health/coverage']:.0%} of the "
                "reals have one nearby"
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
            self._first.add(record["g/grad_norm"])
            self._stands.add(record["step"], record["d/accuracy"] >= MIN_WINS and not self._improved)

    def seen(self) -> _Seen:
        if self._stands.since is None:
            return None
        evidence = f"the discriminator is right on {self._last['d/accuracy']:.1%} of reals and fakes"
        if self._first.median > 0:
            ratio = self._last["g/grad_norm"] / self._first.median
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
        if "d/real_logits" in record:
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

    def add(self, record: Record) -> None:
        if record.get("score") is None:
            return
        self._score = record["score"]
        self._stands.add(record["step"], self._score > WORSE * self._best > 0)
        self._best = min(self._best, self._score)

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
