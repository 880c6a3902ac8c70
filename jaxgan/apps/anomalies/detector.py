"""Runs as detectors: the scores that a run's networks can give, by name."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.apps.anomalies import scores
from jaxgan.common import keys
from jaxgan.common.errors import InputError, unknown
from jaxgan.data import Source

BATCH = 100
PCA_EXAMPLES = 10_000


class Scored(NamedTuple):
    """What a detector says of n images.

    Attributes:
      scores: [n], higher for what is less normal.
      rebuilt: what the networks make of each, as the model sees images, float32 [n, ...]; None where they make nothing.
    """

    scores: np.ndarray
    rebuilt: np.ndarray | None


class Detector:
    """Scores images by the networks of a run.

    Attributes:
      method: a name in METHODS.
    """

    def __init__(
        self,
        run: Any,
        method: str | None = None,
        *,
        source: Source | None = None,
        steps: int = 500,
        starts: int = 1,
    ) -> None:
        """Compiles nothing yet.

        Args:
          run: a `Run`, or what has its config, game, spec, sampler, variables and players, of a game with an encoder,
            or of any that has a generator and a discriminator of images.
          method: a name in METHODS; None takes the first that the run can give.
          source: the run's data, which "pca" is fitted to.
          steps: of the search of "anogan".
          starts: first latents of that search, of which the best counts.

        Raises:
          InputError: for an unknown method, or one that the run's game cannot give.
        """
        if run.sampler.n_classes:
            raise InputError(
                "run: expected one without classes, as an image that is judged has none, got a conditional one"
            )
        able = methods_of(run)
        if method is None:
            if not able:
                raise InputError("run: expected networks that can judge images, got none")
            method = able[0]
        if method not in METHODS:
            raise unknown("method", method, METHODS)
        if method not in able:
            raise InputError(
                f"method: expected one of {', '.join(able)} for the game {run.config.game!r}, got {method!r}"
            )
        self.method, self._spec = method, run.spec
        self._score = METHODS[method].build(_Networks(run, source, steps, starts))

    def __call__(
        self, images: np.ndarray, poll: Callable[[int, int], None] = lambda done, of: None
    ) -> Scored:
        """Scores images [n, ...], in the form in which the run's data are stored; `poll` is told (done, all).

        The score of an image depends neither on the others nor on its place among them.

        Raises:
          InputError: if scores are not finite.
        """
        found, rebuilt = [], []
        for start in range(0, len(images), BATCH):
            part = np.asarray(images[start : start + BATCH])
            pad = [(0, BATCH - len(part)), *[(0, 0)] * (part.ndim - 1)]
            x = np.asarray(self._spec.modality.to_model(jnp.asarray(np.pad(part, pad))))
            score, made = self._score(x)
            found.append(np.asarray(score, np.float64)[: len(part)])
            rebuilt.append(None if made is None else np.asarray(made)[: len(part)])
            poll(min(start + BATCH, len(images)), len(images))
        values = np.concatenate(found)
        whole = None if any(part is None for part in rebuilt) else np.concatenate(rebuilt)
        if not np.isfinite(values).all():
            raise InputError("run: expected networks whose scores are finite, got some that are not")
        return Scored(values, whole)


class _Networks:
    """The networks of a run, as functions of arrays at rest."""

    def __init__(self, run: Any, source: Source | None, steps: int, starts: int) -> None:
        self.run, self.game, self.source = run, run.game, source
        self.steps, self.starts = steps, starts

    def make(self, z: jax.Array) -> jax.Array:
        """What the generator makes of latents."""
        module: Any = self.game.players[self.game.output.player].module  # pyright: ignore
        return module.apply(self.run.variables, z, None, train=False)

    def encode(self, x: jax.Array) -> jax.Array:
        """The latents of images."""
        encoding: Any = self.game.encoding
        module: Any = self.game.players[encoding.player].module
        return encoding.code(module.apply(self.run.players[encoding.player], x, train=False))

    def judge(self, *inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Logits and features of the discriminator."""
        module: Any = self.game.players["discriminator"].module
        return module.apply(self.run.players["discriminator"], *inputs, train=False, features=True)


def _izi_f(own: _Networks) -> Any:
    kappa = float(dict(own.run.config.game_options).get("kappa", 1.0))

    @jax.jit
    def score(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        rebuilt = own.make(own.encode(x))
        return scores.izi_f(x, rebuilt, own.judge(x)[1], own.judge(rebuilt)[1], kappa), rebuilt

    return score


def _egbad(own: _Networks) -> Any:
    @jax.jit
    def score(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = own.encode(x)
        rebuilt = own.make(z)
        seen, remade = own.judge(x, z)[1], own.judge(rebuilt, z)[1]
        return scores.residual_and_features(x, rebuilt, seen, remade), rebuilt

    return score


def _reconstruction(own: _Networks) -> Any:
    @jax.jit
    def score(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        rebuilt = own.make(own.encode(x))
        return scores.reconstruction(x, rebuilt), rebuilt

    return score


def _anogan(own: _Networks) -> Any:
    def loss(x: jax.Array, rebuilt: jax.Array) -> jax.Array:
        return scores.residual_and_features(x, rebuilt, own.judge(x)[1], own.judge(rebuilt)[1])

    search, measured = scores.latent_search(own.make, loss, steps=own.steps), jax.jit(loss)
    latent = own.game.output.latent  # pyright: ignore

    def score(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        best: Any = None  # where a search starts depends on the image, not on its place among others
        numbers = jnp.asarray([zlib.crc32(image.tobytes()) for image in np.ascontiguousarray(x)], jnp.uint32)
        for start in range(own.starts):
            z = latent.sample(keys.of_numbers(jax.random.key(start), numbers), len(x))
            rebuilt = search(jnp.asarray(x), z)[1]
            found = np.asarray(measured(jnp.asarray(x), rebuilt)), np.asarray(rebuilt)
            if best is None:
                best = found
            better = (found[0] < best[0]) | ~np.isfinite(best[0])
            shaped = better.reshape(-1, *[1] * (x.ndim - 1))
            best = np.where(better, found[0], best[0]), np.where(shaped, found[1], best[1])
        return best

    return score


def _discriminator(own: _Networks) -> Any:
    judge = jax.jit(lambda x: -own.judge(x)[0].reshape(len(x), -1).mean(1))
    return lambda x: (judge(x), None)


def _pca(own: _Networks) -> Any:
    if own.source is None:
        raise InputError("method: expected the run's data beside 'pca', which is fitted to them, got none")
    examples = own.source.some(PCA_EXAMPLES, 0)[own.source.example]
    seen = np.asarray(own.run.spec.modality.to_model(jnp.asarray(examples)))
    return scores.Components(seen, own.game.output.latent.dim)  # pyright: ignore


class Method(NamedTuple):
    """A way to score.

    Attributes:
      says: what it is, in one line.
      fits: whether a run can give it.
      build: makes the function (images as the model sees them) -> (scores, rebuilt or None).
    """

    says: str
    fits: Callable[[Any], bool]
    build: Callable[[_Networks], Any]


def _judges(run: Any) -> bool:
    """Whether there is a discriminator of images alone that shows its features."""
    return run.config.game in ("gan", "vae_gan", "infogan", "fanogan") and hasattr(
        run.config.model, "d_logits"
    )


METHODS: dict[str, Method] = {
    "izi_f": Method(
        "f-AnoGAN's: pixels and the discriminator's features of x and G(E(x))",
        lambda run: run.game.encoding is not None and _judges(run),
        _izi_f,
    ),
    "egbad": Method(
        "EGBAD's, of a BiGAN: pixels, and features of the pairs (x, E(x)) and (G(E(x)), E(x))",
        lambda run: run.config.game == "bigan",
        _egbad,
    ),
    "reconstruction": Method(
        "pixels of x and what the encoder and the generator make of it",
        lambda run: run.game.encoding is not None,
        _reconstruction,
    ),
    "anogan": Method(
        "AnoGAN's: the nearest image that the generator makes, searched for by descent in its latent",
        _judges,
        _anogan,
    ),
    "discriminator": Method("minus the discriminator's logit", _judges, _discriminator),
    "pca": Method(
        "what as many principal components of the run's data as the latent has leave unexplained",
        lambda run: run.game.output is not None,
        _pca,
    ),
}
"""Name -> method, the better first."""


def methods_of(run: Any) -> list[str]:
    """The methods that a run's game can give, the one to take first."""
    return [name for name, method in METHODS.items() if method.fits(run)]
