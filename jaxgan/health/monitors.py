"""Monitors: a state looked at on small fixed sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.common.numerics import at_least_float32
from jaxgan.data import Source, as_images, other_split
from jaxgan.games.game import Game, GameState, Turn
from jaxgan.games.view import Deal, View
from jaxgan.losses import Loss
from jaxgan.metrics import prdc
from jaxgan.metrics.features import features_for
from jaxgan.metrics.features.network import polled
from jaxgan.runs.sampling import Sampler

MONITORS = ("real_sign", "overfitting", "ema_distance", "diversity", "precision", "recall", "coverage")
"""What may be seen of a state; `jaxgan.metrics.catalogue.SCORES` says what each of them means."""

SEED = 20200611
"""Of the fixed sets: the same in every run."""
_FIRST_LATENT = 3_000_000  # seeds of the fixed fakes: apart from those of grids and scores
_NEIGHBOURS = 5
# r_v divides by D's lead on fakes: below so many standard errors of that lead it is a ratio of noise.
_CLEAR_LEAD = 5.0
_FEWEST = 8  # held-out examples that overfitting is told by


def real_sign(loss: Loss) -> Callable[[jax.Array], jax.Array] | None:
    """A function of the logits of reals: their mean sign E[sign D(x)] about the loss's threshold, in [-1, 1].

    None for a loss without a threshold (Wasserstein, relativistic, features), as the sign of a single
    logit says nothing there.

    References:
      Karras et al. (2020), Training generative adversarial networks with limited data, eq. 1: r_t.
    """
    threshold = loss.threshold
    return None if threshold is None else lambda real: jnp.sign(real - threshold).mean()


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
    x: np.ndarray  # as they are stored
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
    chosen = source.some(n, SEED)
    return _Examples(chosen[source.example], chosen.get("label"))


Embedding = Callable[[np.ndarray, Callable[[], None]], np.ndarray]


def _features_of_images(source: Source) -> Embedding | None:
    if source.n is None:
        return None
    network = features_for(as_images(source, "data.source"))
    return lambda images, poll: polled(network, poll)(images)[0]


EMBEDDINGS: dict[str, Callable[[Source], Embedding | None]] = {
    "image": _features_of_images,
    "point": lambda source: lambda points, poll: points,
}
"""Name of a modality -> source -> (stored examples, what is polled -> features [n, d] whose distances tell variety).

None instead of the latter where distances say nothing.
"""


class Monitors:
    """Looks at states of one GAN on its data: a state -> finite numbers by name, "health/" and one of MONITORS.

    The discriminator judges whole batches of the size it trains on, with the statistics, noise and packs
    of its training, and the current generator's fakes; variety is that of the averaged generator.
    What has no meaning is left out: signs for losses without a threshold, overfitting without held-out
    examples, both for losses of features and for games without a critic, and variety for examples whose
    distances say nothing.
    """

    def __init__(self, game: Game, source: Source, sampler: Sampler, n: int, batch_size: int) -> None:
        """Nothing is computed yet.

        Args:
          game: static half of the states.
          source: their data.
          sampler: of their averaged generator.
          n: examples of each set, at most.
          batch_size: examples of one discriminator update.
        """
        self._game, self._source, self._sampler = game, source, sampler
        assert game.output is not None
        self._output, critic = game.output, game.critic
        self._asked, self._held_out = n, 0
        self._poll: Callable[[], None] = lambda: None
        self._n = n if source.n is None else min(n, source.n)
        multiple = 1 if critic is None else critic.multiple
        self._batch = min(batch_size, self._n) // multiple * multiple
        embedding = EMBEDDINGS.get(source.modality.name)
        self._embedded = None if embedding is None else embedding(source)
        self._judges = critic is not None and self._batch > 0 and not critic.loss.of_features
        sign = real_sign(critic.loss) if critic is not None and self._judges else None
        self._sign = None if sign is None else jax.jit(sign)
        self._judge = jax.jit(lambda *args: self._logits(*args)[0])
        self._judge_fakes = jax.jit(lambda *args: self._logits(*args)[1])
        self._drift = jax.jit(_drift)

    def __call__(self, state: GameState, poll: Callable[[], None] = lambda: None) -> dict[str, float]:
        """The numbers of `state`, which is left as it is; `poll` is called between parts, and may raise to end it."""
        self._poll = poll
        average, current = self._game.averaged(state), state.players[self._output.player]
        found = {"ema_distance": float(self._drift(average["params"], current.params))}
        poll()
        found |= self._of_discriminator(state) | self._of_variety(state)
        return {f"health/{name}": value for name, value in found.items() if math.isfinite(value)}

    # --- the discriminator ---

    def _of_discriminator(self, state: GameState) -> dict[str, float]:
        found: dict[str, float] = {}
        if not self._judges or (self._sign is None and self._others is None):
            return found
        real = self._on(self._reals, state)
        if self._sign is not None:
            found["real_sign"] = float(self._sign(jnp.asarray(real)))
        if self._others is not None:
            held_out = _flat(self._on(self._others, state))
            known = len(held_out) * self._held_out // len(self._others)  # the rest fills the batch up
            ratio = overfitting(_flat(real), held_out[: max(known, 1)], _flat(self._on_fakes(state)))
            if ratio is not None:
                found["overfitting"] = ratio
        return found

    def _on(self, examples: _Examples, state: GameState) -> np.ndarray:
        parts = [
            np.asarray(self._judge(state, part.x, part.label, i))
            for i, part in enumerate(self._batches(examples))
        ]
        return np.concatenate(parts)

    def _on_fakes(self, state: GameState) -> np.ndarray:
        parts = [
            np.asarray(self._judge_fakes(state, part.x, part.label, i))
            for i, part in enumerate(self._batches(self._reals))
        ]
        return np.concatenate(parts)

    def _batches(self, examples: _Examples) -> Iterable[_Examples]:
        for part in examples.batches(self._batch):
            self._poll()
            yield part

    def _logits(
        self, state: GameState, x: jax.Array, label: jax.Array | None, part: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Of reals and of fakes beside them, as the critic sees them in training."""
        batch = {self._source.example: self._source.modality.to_model(x)}
        if label is not None:
            batch["label"] = label
        nobody = Turn("health", (), lambda view: jnp.zeros(()))
        deal = Deal(batch, jax.random.fold_in(jax.random.key(SEED), part))
        assert self._game.critic is not None
        real, fake = self._game.critic.logits(View(self._game, nobody, state, {}, deal))
        return at_least_float32(real), at_least_float32(fake)

    # --- variety ---

    def _of_variety(self, state: GameState) -> dict[str, float]:
        if self._n < 2 or self._embedded is None:
            return {}
        real, spread = self._real_features
        stream = self._sampler.stream(self._game.averaged(state), _FIRST_LATENT, self._poll)
        fake = self._embedded(stream(self._n), self._poll)
        self._poll()
        found = {"diversity": mean_distance(fake) / spread} if spread > 0 else {}
        if self._n > _NEIGHBOURS:
            scores = prdc(real, fake, k=_NEIGHBOURS)
            found |= {name: scores[name] for name in ("precision", "recall", "coverage")}
        return found

    # --- the fixed sets ---

    @cached_property
    def _reals(self) -> _Examples:
        return _some(self._source, self._n)

    @cached_property
    def _others(self) -> _Examples | None:
        """Held-out examples: whole batches, the first `_held_out` of them; reals fill up the only one of few."""
        other = other_split(
            self._source
        )  # none of what is drawn anew for ever: nothing is known by heart there
        if other is None or other.spec.arrays != self._source.spec.arrays or (other.n or 0) < _FEWEST:
            return None
        found = _some(other, max(self._asked, self._batch))
        self._held_out = len(found)
        if (short := self._batch - len(found)) <= 0:
            return found
        more = _some(self._source, short)
        joined = None
        if found.label is not None and more.label is not None:
            joined = np.concatenate([found.label, more.label])
        return _Examples(np.concatenate([found.x, more.x]), joined)

    @cached_property
    def _real_features(self) -> tuple[np.ndarray, float]:
        assert self._embedded is not None
        features = self._embedded(self._reals.x, self._poll)
        return features, mean_distance(features)


@lru_cache(maxsize=1)
def monitors_of(game: Game, source: Source, sampler: Sampler, n: int, batch_size: int) -> Monitors:
    """`Monitors`, shared by all who ask for the same: members of an ensemble compile them once."""
    return Monitors(game, source, sampler, n, batch_size)


def _drift(average: Any, current: Any) -> jax.Array:
    return optax.tree.norm(optax.tree.sub(average, current)) / jnp.maximum(optax.tree.norm(current), 1e-12)


def _flat(logits: np.ndarray) -> np.ndarray:
    """One number an example, float64."""
    return logits.reshape(len(logits), -1).mean(1, dtype=np.float64)
