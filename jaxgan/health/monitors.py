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

from jaxgan.augment import seen
from jaxgan.common import keys
from jaxgan.common.numerics import at_least_float32
from jaxgan.data import Images, Source, other_split, to_float
from jaxgan.games.game import GAN, GANState, Player
from jaxgan.losses import Loss
from jaxgan.metrics import prdc
from jaxgan.metrics.features import features_for
from jaxgan.runs.sampling import Sampler

MONITORS = ("real_sign", "overfitting", "ema_distance", "diversity", "precision", "recall", "coverage")
"""What may be seen of a state; `jaxgan.metrics.catalogue.SCORES` says what each of them means."""

_SEED = 20200611  # of the fixed sets: the same in every run
_FIRST_LATENT = 3_000_000  # seeds of the fixed fakes: apart from those of grids and scores
_NEIGHBOURS = 5
# r_v divides by D's lead on fakes: below so many standard errors of that lead it is a ratio of noise.
_CLEAR_LEAD = 5.0


def real_sign(loss: Loss) -> Callable[[jax.Array], jax.Array] | None:
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
    """Looks at states of one GAN on its data: a state -> finite numbers by name, "health/" and one of MONITORS.

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

    def _logits(
        self, d: Player, step: jax.Array, x: jax.Array, label: jax.Array | None, part: jax.Array
    ) -> jax.Array:
        rules = self._gan.dynamics
        if x.dtype == jnp.uint8:
            x = to_float(x)
        if rules.instance_noise is not None:
            x = seen.noisy(x, rules.instance_noise(step), self._example_keys(2 * part + 1))
        if label is not None:
            label = label[:: rules.pack]
        return at_least_float32(_as_trained(self._gan.discriminator, d, seen.packed(x, rules.pack), label))

    def _fake_logits(
        self, g: Player, d: Player, step: jax.Array, label: jax.Array | None, part: jax.Array
    ) -> jax.Array:
        z = self._gan.latent.sample(self._example_keys(2 * part), self._batch)
        return self._logits(d, step, _as_trained(self._gan.generator, g, z, label), label, part)

    def _example_keys(self, stream: jax.Array) -> jax.Array:
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


def _as_trained(module: Any, player: Player, x: jax.Array, label: jax.Array | None) -> jax.Array:
    """A network's answer in training mode; what it would remember of it is dropped."""
    variables = {"params": player.params, **player.stats}
    return module.apply(variables, x, label, train=True, mutable=list(player.stats))[0]


def _drift(average: Any, current: Any) -> jax.Array:
    return optax.tree.norm(optax.tree.sub(average, current)) / jnp.maximum(optax.tree.norm(current), 1e-12)


def _flat(logits: np.ndarray) -> np.ndarray:
    """One number an example, float64."""
    return logits.reshape(len(logits), -1).mean(1, dtype=np.float64)
