"""Latents of real images, by the game's encoder or by optimisation: many starts of many images at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.apps.editing.eyes import eyes_for
from jaxgan.apps.network import Network, Space
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.metrics.scores.perceptual import perceptual_distance

OnStep = Callable[[int, int, float], None]
"""Receives (steps done, all steps, mean loss of the best starts) now and then."""
_RAMP_UP, _RAMP_DOWN, _NOISE, _NOISE_UNTIL = 0.05, 0.25, 0.05, 0.75  # of StyleGAN2's projector
_POOL = 64  # draws that the starts are chosen of
_STYLES = 1000  # draws whose mean and spread w starts from
AT_ONCE = 256
"""How many starts are moved together at most, unless one image has more."""


@dataclass(frozen=True)
class Search:
    """How latents are searched for.

    Attributes:
      steps: of Adam; with 0 the nearest start is what is found.
      starts: of every image, of which the best end is taken.
      learning_rate: the largest; it rises over 5 % of the steps and falls along a cosine over the last 25 %.
      pixels: weight of the mean squared difference of pixels in [-1, 1].
      prior: weight of the distance of z from where draws of the prior lie.
      seed: of the starts.
      stages: pictures of the way that are kept.
    """

    steps: int = 200
    starts: int = 4
    learning_rate: float = 0.1
    pixels: float = 1.0
    prior: float = 0.01
    seed: int = 0
    stages: int = 6

    def __post_init__(self) -> None:
        """Checks the numbers."""
        check_range("steps", self.steps, at_least=0)
        check_range("starts", self.starts, at_least=1, at_most=_POOL)
        check_range("learning_rate", self.learning_rate, above=0)
        for name in ("pixels", "prior"):
            check_range(name, getattr(self, name), at_least=0)
        check_range("seed", self.seed, at_least=0, below=2**31)
        check_range("stages", self.stages, at_least=2)

    def rate(self, step: int) -> float:
        """The learning rate of a step, as in StyleGAN2's projector."""
        t = step / self.steps
        ramp = min(1.0, (1 - t) / _RAMP_DOWN)
        ramp = 0.5 - 0.5 * np.cos(ramp * np.pi)
        return self.learning_rate * ramp * min(1.0, (t + 1 / self.steps) / _RAMP_UP)

    def noise(self, step: int) -> float:
        """Strength of the noise on w, in standard deviations of w: from 0.05 to 0 at three quarters of the way."""
        return _NOISE * max(0.0, 1 - step / self.steps / _NOISE_UNTIL) ** 2


class Projection(NamedTuple):
    """Latents of m images.

    Attributes:
      space: "z", "w" or "w+".
      latents: of that space, float32 [m, ...].
      labels: classes with which a conditional generator makes them, int32 [m]; else None.
      images: what the generator makes of them, as the data are stored, [m, h, w, c].
      targets: what was looked for, in the same form.
      way: what the best start was on its way, [m, stages, h, w, c]: the first is the start, the last the result.
      steps: of the pictures of the way.
      psnr: of results against targets, in dB, [m]; of images in the data's own range.
      start_psnr: the same of the starts.
      features: name of the network that compared them.
    """

    space: Space
    latents: np.ndarray
    labels: np.ndarray | None
    images: np.ndarray
    targets: np.ndarray
    way: np.ndarray
    steps: list[int]
    psnr: np.ndarray
    start_psnr: np.ndarray
    features: str


def project(
    network: Network,
    targets: np.ndarray,
    space: str | None = None,
    search: Search | None = None,
    *,
    label: int | None = None,
    features: str = "auto",
    weights: str = "",
    on_step: OnStep | None = None,
) -> Projection:
    """Finds latents whose images are near given ones: in pixels, and in the feature maps of a network.

    What is minimised is the perceptual distance of `jaxgan.metrics.scores.perceptual` plus `pixels` times the mean
    squared difference of pixels. Starts in z are, of 64 draws of the prior (and all classes), those whose images are
    nearest; z is kept about where the prior puts it. Where the game has an encoder, the first start is what that makes
    of the image. w starts from the mean of mapped draws (of a class) with noise that fades, as in StyleGAN2's
    projector; w+ gives every layer a style of its own. All starts of many images are moved by one program; what is
    found for an image does not depend on the others.

    Args:
      network: of the run.
      targets: [m, h, w, c], as the data of the run are stored.
      space: "z", "w" or "w+"; None: z where the game has an encoder, else w where there is one.
      search: how; None: as `Search` says.
      label: class of all; None lets the starts of a conditional generator take those whose images are nearest, and the
        best end wins.
      features: as of `eyes_for`.
      weights: as of `eyes_for`.
      on_step: called now and then.

    Raises:
      InputError: for targets of another shape or type, a space or class that there is not.

    References:
      Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, section 5 and appendix D.
      Abdal, Qin, Wonka (2019), Image2StyleGAN (w+).
    """
    search = search or Search()
    space = network.check_space("z" if space is None and network.run.sampler.encodes else space)
    spec, m, starts = network.run.spec, len(targets), search.starts
    if targets.shape[1:] != spec.shape or targets.dtype != spec.stored or not m:
        raise InputError(
            f"images: expected {spec.stored} of shape [n, {', '.join(map(str, spec.shape))}], got {targets.dtype} of "
            f"shape {targets.shape}"
        )
    name, eyes = eyes_for(network.run, features, weights)
    each = min(m, max(1, AT_ONCE // starts))  # images at once

    def losses(variables: Any, v: jax.Array, labels: Any, wanted: jax.Array) -> jax.Array:
        x = network.images(variables, _as_given(network, v, space), labels)
        total = search.pixels * jnp.square(x - wanted).mean((1, 2, 3))
        if eyes is not None:
            total += perceptual_distance(eyes, x, wanted)
        return total

    def off_prior(v: jax.Array) -> jax.Array:
        """(|z|^2 / d - 1)^2 of each: 0 where draws of variance 1 lie."""
        return jnp.square(jnp.square(v / scale).mean(1) - 1) if space == "z" else jnp.zeros(len(v))

    starting = _starts(network, space, label, search)
    scale, spread = starting.scale, starting.spread
    adam = optax.scale_by_adam(b1=0.9, b2=0.999)

    @jax.jit
    def step(variables: Any, v: Any, moments: Any, labels: Any, wanted: Any, numbers: Any, key: Any) -> Any:
        rate, noise = numbers
        drawn = jax.random.normal(key, (starts, *v.shape[1:]))  # of each start, whatever the image
        shaken = v + noise * spread * jnp.tile(drawn, (each, *(1,) * (v.ndim - 1)))

        def objective(v: jax.Array) -> jax.Array:
            return (losses(variables, v, labels, wanted) + search.prior * off_prior(v)).sum()

        updates, moments = adam.update(jax.grad(objective)(shaken), moments)
        return optax.apply_updates(v, jax.tree.map(lambda u: -rate * scale * u, updates)), moments

    measure = jax.jit(losses)
    shown = sorted({round(i * search.steps / (search.stages - 1)) for i in range(search.stages)})
    key, all_steps = jax.random.key(search.seed), search.steps * -(-m // each)

    def searched(part: np.ndarray, before: int) -> tuple[list[np.ndarray], np.ndarray | None]:
        """The best start of every image of a part at the steps that are shown, and its class."""
        seen = np.asarray(spec.modality.to_model(jnp.asarray(part)))
        first, labels = starting.of(seen)
        v, wanted = jnp.asarray(first), jnp.asarray(np.repeat(seen, starts, axis=0))
        moments, kept = adam.init(v), []
        distances = lambda: np.asarray(measure(network.variables, v, labels, wanted)).reshape(each, starts)
        for i in range(search.steps + 1):
            if i in shown:
                kept.append(np.asarray(v))
                if on_step is not None:
                    on_step(before + i, all_steps, float(distances().min(1).mean()))
            if i == search.steps:
                break
            noise = search.noise(i) if space != "z" else 0.0
            numbers = np.asarray([search.rate(i), noise], np.float32)
            v, moments = step(
                network.variables, v, moments, labels, wanted, numbers, jax.random.fold_in(key, i)
            )
        ends = distances()
        best = np.where(np.isfinite(ends), ends, np.inf).argmin(1) + starts * np.arange(each)
        return [stage[best] for stage in kept], None if labels is None else labels[best]

    found: list[tuple[list[np.ndarray], np.ndarray | None]] = []
    for begin in range(0, m, each):  # the last part is filled up with its last image
        rows = np.minimum(np.arange(begin, begin + each), m - 1)
        kept, chosen = searched(targets[rows], search.steps * (begin // each))
        n = min(each, m - begin)
        found.append(([stage[:n] for stage in kept], None if chosen is None else chosen[:n]))
    stages = [np.concatenate(same) for same in zip(*(kept for kept, _ in found), strict=True)]
    classes = [chosen for _, chosen in found if chosen is not None]
    own = np.concatenate(classes) if classes else None
    pictures = [
        network.decode(np.asarray(_as_given(network, jnp.asarray(stage), space)), own) for stage in stages
    ]
    peak = float(np.iinfo(targets.dtype).max)
    return Projection(
        space,
        stages[-1],
        own,
        pictures[-1],
        targets,
        np.stack(pictures, axis=1),
        shown,
        psnr(pictures[-1], targets, peak),
        psnr(pictures[0], targets, peak),
        name,
    )


def psnr(images: np.ndarray, targets: np.ndarray, peak: float) -> np.ndarray:
    """10 log10(peak^2 / mean squared difference) of each, in dB; infinite for equal images."""
    squares = np.square(images.astype(np.float64) - targets.astype(np.float64)).mean((1, 2, 3))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(peak**2 / squares)


def _as_given(network: Network, v: jax.Array, space: Space) -> jax.Array:
    """Latents in the form that the generator takes: one w stands for all layers."""
    if space != "w":
        return v
    return jnp.broadcast_to(v[:, None], (len(v), network.style_shape[0], v.shape[1]))


def _classes(network: Network, label: int | None) -> np.ndarray | None:
    """The classes that starts may take, int32 [k]; None of a generator without."""
    if not network.n_classes:
        if label is not None:
            raise InputError("class: expected none, as this generator is not conditional")
        return None
    check_range("class", label, at_least=0, at_most=network.n_classes - 1)
    return np.arange(network.n_classes, dtype=np.int32) if label is None else np.asarray([label], np.int32)


class _Starts(NamedTuple):
    """Where to start.

    Attributes:
      of: images as the model sees them [m, ...] -> latents [m * starts, ...], and their classes (or None).
      scale: size of a step.
      spread: of the noise on the way.
    """

    of: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]
    scale: Any
    spread: Any


def _starts(network: Network, space: Space, label: int | None, search: Search) -> _Starts:
    """Starts of images: each takes those that are nearest to it, whatever the others are."""
    rng, starts, classes = np.random.default_rng(search.seed), search.starts, _classes(network, label)
    size = max(_POOL if space == "z" else _STYLES, 0 if classes is None else len(classes))
    z = network.run.sampler.latents(rng.integers(0, 2**31, size).tolist())
    own = None if classes is None else np.resize(classes, size)
    if space == "z":
        near, encode = _nearest(network, z, own), _encoder(network)

        def nearest(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
            rows = near(seen)[:, :starts]
            first = z[rows]
            if encode is not None:
                first[:, 0] = encode(seen)
            rows = rows.reshape(-1)
            return first.reshape(-1, z.shape[1]), None if own is None else own[rows]

        return _Starts(nearest, np.float32(z.std()), np.float32(0))
    w = network.styles(z, own)[:, 0]
    k = 1 if classes is None else len(classes)
    means = w.mean(0)[None] if classes is None else np.stack([w[own == each].mean(0) for each in classes])
    spread = np.float32(np.sqrt(np.square(w - w.mean(0)).sum(1).mean() / w.shape[1]))
    others = w[rng.integers(0, size, starts)]
    away = 0.5 * (np.arange(starts) >= k).astype(np.float32)[:, None]  # the first from the mean itself
    near = (
        _nearest(network, np.asarray(_as_given(network, jnp.asarray(means), "w")), classes) if k > 1 else None
    )

    def about_means(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        order = np.zeros((len(seen), 1), int) if near is None else near(seen)
        rows = order[:, np.arange(starts) % k]
        v = means[rows] + away * (others - means[rows])
        v = v.reshape(-1, w.shape[1]).astype(np.float32)
        if space == "w+":
            v = np.repeat(v[:, None], network.style_shape[0], axis=1)
        return v, None if classes is None else classes[rows.reshape(-1)]

    return _Starts(about_means, spread, spread)


def _encoder(network: Network) -> Callable[[np.ndarray], np.ndarray] | None:
    """Images as the model sees them [m, ...] -> z [m, d] by the game's encoder; None where there is none."""
    run = network.run
    if not run.sampler.encodes:
        return None
    encoding = run.game.encoding
    assert encoding is not None
    variables = run.players[encoding.player]
    return lambda seen: run.sampler.encode(variables, np.asarray(run.spec.from_model(jnp.asarray(seen))))


def _nearest(
    network: Network, v: np.ndarray, labels: np.ndarray | None
) -> Callable[[np.ndarray], np.ndarray]:
    """Images as the model sees them -> rows of latents, those of the nearest images first."""
    x = jnp.asarray(network.decode(v, labels))
    made = np.asarray(network.run.spec.modality.to_model(x)).reshape(len(v), -1)
    squares = np.square(made).sum(1)
    return lambda seen: np.argsort(squares - 2 * seen.reshape(len(seen), -1) @ made.T, axis=1, kind="stable")
