"""Scores of restored images against what they should be, image by image."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxgan.data import Source, other_split
from jaxgan.data.modality import from_float
from jaxgan.data.spec import LABEL
from jaxgan.metrics.catalogue import SCORES
from jaxgan.metrics.score import Evaluation, Measured, Score
from jaxgan.metrics.scores.similarity import ms_ssim, ssim

_AT_ONCE = 64
_SSIM_SIDE, _MS_SSIM_SIDE = 11, 161  # pixels that their windows need


def compared_with(source: Source, *, told: bool = False) -> Source:
    """The examples that are restored to be looked at: those that are held out of `source`, or all where none are.

    Args:
      source: that is trained on.
      told: whether networks are told classes. Held-out examples without labels then are none; else they are.
    """
    other = other_split(source) if source.held_out is None else source.held_out
    shapes = lambda of: {name: x for name, x in of.spec.arrays.items() if told or name != LABEL}
    return other if other is not None and shapes(other) == shapes(source) else source


def similarities(made: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Of every image: "rmse" in the units of its type, "psnr" in decibels; "ssim" and "ms_ssim" of large enough ones.

    Args:
      made: images [n, h, w, c], uint8 or uint16.
      truth: images of the same shape and type.
    """
    span = float(np.iinfo(truth.dtype).max)
    side, found = min(truth.shape[1:3]), {}
    wrong = np.square(made.astype(np.float64) - truth).mean((1, 2, 3))
    found["rmse"] = np.sqrt(wrong)
    found["psnr"] = 10 * np.log10(span**2 / np.maximum(wrong, 1e-12 * span**2))
    for name, score, least in (("ssim", ssim, _SSIM_SIDE), ("ms_ssim", ms_ssim, _MS_SSIM_SIDE)):
        if side >= least:
            found[name] = _in_parts(score, made, truth, span)
    return found


def _in_parts(score: Callable[..., Any], made: np.ndarray, truth: np.ndarray, span: float) -> np.ndarray:
    n, values = len(made), []
    for start in range(0, n, _AT_ONCE):
        rows = np.resize(np.arange(start, min(start + _AT_ONCE, n)), min(_AT_ONCE, n))
        pair = made[rows].astype(np.float32), truth[rows].astype(np.float32)
        values.append(np.asarray(score(*pair, data_range=span))[: n - start])
    return np.concatenate(values)[:n].astype(np.float64)


def as_it_came(batch: Mapping[str, np.ndarray], shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """The inputs of pairs as images of this shape: enlarged by Pillow's bicubic, grey ones with as many channels."""
    x = np.asarray(from_float(jnp.asarray(batch["input"]), dtype))
    if x.shape[1:3] != shape[:2]:
        x = np.stack([enlarged(image, shape[0], shape[1]) for image in x])
    if x.shape[-1] != shape[-1]:
        x = x[..., :1].repeat(shape[-1], -1)
    return x


def enlarged(image: np.ndarray, height: int, width: int, how: str = "bicubic") -> np.ndarray:
    """An image [h, w, c] of 8 or 16 bits, scaled by Pillow to another size, channel by channel."""
    ways = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
    planes = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize((width, height), ways[how]))
        for plane in np.moveaxis(image, 2, 0)
    ]
    most = np.iinfo(image.dtype).max
    return np.clip(np.round(np.stack(planes, 2)), 0, most).astype(image.dtype)


class PairEvaluator:
    """Scores what is made of held-out inputs against the images that they come from.

    On the way the last of these images are taken, for the final scores the first.
    """

    main, features, cheap = "rmse", "none", True

    def __init__(self, source: Source) -> None:
        """Computes nothing yet."""
        self._source = compared_with(source)

    @staticmethod
    def _truth(source: Source, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        """The images that inputs come from, as they are stored (their crops, where those are looked at)."""
        return np.asarray(from_float(jnp.asarray(batch[source.example]), np.dtype(source.spec.stored)))

    def takes(self, n: int) -> int:
        """How many images are scored where n are asked for: each once."""
        return min(n, self._source.n or 0)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scores, as far as the images are large enough for them."""
        side = min(self._source.spec.shape[:2])
        large = [name for name, least in (("ssim", _SSIM_SIDE), ("ms_ssim", _MS_SSIM_SIDE)) if side >= least]
        return ("rmse", "psnr", *large, *(f"{name}_given" for name in ("psnr", *large)))

    def quick(self, generate: Any, n: int) -> Measured:
        """The mean root of the squared differences, of n images."""
        total = generate.source.n or 0
        rows = np.arange(max(total - n, 0), total)
        made, batch = generate.of(rows)
        each = similarities(made, self._truth(generate.source, batch))["rmse"]
        return Measured(each.mean(), each.std(ddof=1) / math.sqrt(len(each)) if len(each) > 1 else 0.0)

    def __call__(self, generate: Any, n: int) -> Evaluation:
        """All scores of n images, with those of the inputs as they came."""
        n = min(n, generate.source.n or 0)
        rows = np.arange(n)
        made, batch = generate.of(rows)
        truth = self._truth(generate.source, batch)
        of_made = similarities(made, truth)
        given = as_it_came(batch, truth.shape[1:], truth.dtype)
        of_given = {f"{name}_given": x for name, x in similarities(given, truth).items() if name != "rmse"}
        scores = {}
        for name, each in (of_made | of_given).items():
            error = float(each.std(ddof=1) / math.sqrt(n)) if n > 1 else None
            split = f"{generate.source.name}; floor: none (each image is compared with itself)"
            scores[name] = Score(
                float(each.mean()),
                None,
                SCORES[name],
                n_real=n,
                n_fake=n,
                split=split,
                features="none",
                error=error,
                protocol=f"mean over images, {truth.dtype}",
            )
        return Evaluation(scores)
