"""Latents of real images, found by optimisation: many starts of many images at once."""

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


@dataclass(frozen=True)
class Search:
    """How latents are searched for.

    Attributes:
      steps: of Adam.
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
        check_range("steps", self.steps, at_least=1)
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
    squared difference of pixels. Starts in z are, of 64 draws of the prior, those whose images are nearest; z is kept
    about where the prior puts it. w starts from the mean of mapped draws with noise that fades, as in StyleGAN2's
    projector; w+ gives every layer a style of its own. All starts of all images are moved by one program.

    Args:
      network: of the run.
      targets: [m, h, w, c], as the data of the run are stored.
      space: "z", "w" or "w+"; None: w where there is one.
      search: how; None: as `Search` says.
      label: class of all; None lets each of the starts of a conditional generator take one, and the best end wins.
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
    space = network.check_space(space or network.spaces[min(1, len(network.spaces) - 1)])
    spec, m, starts = network.run.spec, len(targets), search.starts
    if targets.shape[1:] != spec.shape or targets.dtype != spec.stored or not m:
        raise InputError(
            f"images: expected {spec.stored} of shape [n, {', '.join(map(str, spec.shape))}], got {targets.dtype} of "
            f"shape {targets.shape}"
        )
    name, eyes = eyes_for(network.run, features, weights)
    labels = _labels(network, m, starts, label)
    wanted = np.repeat(np.asarray(spec.modality.to_model(jnp.asarray(targets))), starts, axis=0)

    def losses(variables: Any, v: jax.Array, labels: Any, wanted: jax.Array) -> jax.Array:
        x = network.images(variables, _as_given(network, v, space), labels)
        total = search.pixels * jnp.square(x - wanted).mean((1, 2, 3))
        if eyes is not None:
            total += perceptual_distance(eyes, x, wanted)
        return total

    def off_prior(v: jax.Array) -> jax.Array:
        """(|z|^2 / d - 1)^2 of each: 0 where draws of variance 1 lie."""
        return jnp.square(jnp.square(v / scale).mean(1) - 1) if space == "z" else jnp.zeros(len(v))

    first, scale, spread = _starts(network, space, wanted, labels, m, search)
    adam = optax.scale_by_adam(b1=0.9, b2=0.999)

    @jax.jit
    def step(variables: Any, v: Any, moments: Any, labels: Any, wanted: Any, numbers: Any, key: Any) -> Any:
        rate, noise = numbers
        shaken = v + noise * spread * jax.random.normal(key, v.shape)

        def objective(v: jax.Array) -> tuple[jax.Array, Any]:
            each = losses(variables, v, labels, wanted)
            return (each + search.prior * off_prior(v)).sum(), each

        (_, each), grads = jax.value_and_grad(objective, has_aux=True)(shaken)
        updates, moments = adam.update(grads, moments)
        return optax.apply_updates(v, jax.tree.map(lambda u: -rate * scale * u, updates)), moments, each

    measure = jax.jit(losses)
    v, moments = jnp.asarray(first), adam.init(jnp.asarray(first))
    shown = sorted({round(i * search.steps / (search.stages - 1)) for i in range(search.stages)})
    kept: list[np.ndarray] = []
    key, rows, wanted_on_device = jax.random.key(search.seed), labels, jnp.asarray(wanted)
    for i in range(search.steps + 1):
        if i in shown:
            kept.append(np.asarray(v))
            if on_step is not None:
                each = np.asarray(measure(network.variables, v, rows, wanted_on_device))
                on_step(i, search.steps, float(each.reshape(m, starts).min(1).mean()))
        if i == search.steps:
            break
        noise = search.noise(i) if space != "z" else 0.0
        numbers = np.asarray([search.rate(i), noise], np.float32)
        v, moments, _ = step(
            network.variables, v, moments, rows, wanted_on_device, numbers, jax.random.fold_in(key, i)
        )
    each = np.asarray(measure(network.variables, v, rows, wanted_on_device))
    each = np.where(np.isfinite(each), each, np.inf).reshape(m, starts)
    best = each.argmin(1) + starts * np.arange(m)
    own = None if labels is None else labels[best]
    pictures = [
        network.decode(np.asarray(_as_given(network, jnp.asarray(stage[best]), space)), own) for stage in kept
    ]
    peak = float(np.iinfo(targets.dtype).max)
    return Projection(
        space,
        kept[-1][best],
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


def _labels(network: Network, m: int, starts: int, label: int | None) -> np.ndarray | None:
    """The class of every start of every image, [m * starts]."""
    if not network.n_classes:
        if label is not None:
            raise InputError("class: expected none, as this generator is not conditional")
        return None
    if label is not None and not 0 <= label < network.n_classes:
        raise InputError(f"class: expected one from 0 to {network.n_classes - 1}, got {label}")
    each = np.arange(starts) % network.n_classes if label is None else np.full(starts, label)
    return np.tile(each, m).astype(np.int32)


def _starts(
    network: Network,
    space: Space,
    wanted: np.ndarray,
    labels: np.ndarray | None,
    m: int,
    search: Search,
) -> tuple[np.ndarray, Any, Any]:
    """Where to start, [m * starts, ...], the size of a step, and of the noise on the way."""
    rng = np.random.default_rng(search.seed)
    starts = search.starts
    if space == "z":
        pool = network.run.sampler.latents(rng.integers(0, 2**31, _POOL).tolist())
        scale = np.float32(pool.std())
        if network.n_classes:  # images depend on the class as much as on the latent
            return pool[np.tile(np.arange(starts), m)], scale, np.float32(0)
        x = jnp.asarray(network.decode(pool, None))
        made = np.asarray(network.run.spec.modality.to_model(x)).reshape(_POOL, -1)
        flat = wanted[::starts].reshape(m, -1)
        far = np.square(made).sum(1) - 2 * flat @ made.T  # but for what all share
        nearest = np.argsort(far, axis=1)[:, :starts]
        return pool[nearest.reshape(-1)], scale, np.float32(0)
    z = network.run.sampler.latents(rng.integers(0, 2**31, _STYLES).tolist())
    own = None if labels is None else np.resize(labels[:starts], _STYLES)
    w = network.styles(z, own)[:, 0]
    if own is None or labels is None:
        mean = np.repeat(w.mean(0)[None], m * starts, axis=0)
    else:
        mean = np.stack([w[own == label].mean(0) for label in labels])
    spread = np.float32(np.sqrt(np.square(w - w.mean(0)).sum(1).mean() / w.shape[1]))
    others = w[rng.integers(0, _STYLES, (m, starts))].reshape(m * starts, -1)
    away = np.tile((np.arange(starts) > 0).astype(np.float32) * 0.5, m)[
        :, None
    ]  # the first from the mean itself
    first = (mean + away * (others - mean)).astype(np.float32)
    if space == "w+":
        first = np.repeat(first[:, None], network.style_shape[0], axis=1)
    return first, spread, spread
