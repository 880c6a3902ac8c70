"""Sliced Wasserstein distance of local patches, at each scale of a Laplacian pyramid."""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.metrics.scores.resampling import GROUPS, jackknife_error

PATCH = 7
_SMALLEST = 16  # pixels, of the coarsest level that is published
_BINOMIAL = np.asarray([1, 4, 6, 4, 1], np.float32) / 16
_IMAGES_AT_ONCE = 256
_DIRECTIONS_AT_ONCE = 16


def swd_patches(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    levels: int | None = None,
    patches_per_image: int = 128,
    projections: int = 512,
    seed: int = 0,
) -> dict[int, float]:
    """Sliced Wasserstein distance of 7x7 patches at each level of the Laplacian pyramid, times 1,000.

    The finest level compares textures, the coarsest one large structures. The conventions are the authors'.
    Each set's patches are normalised to mean 0 and deviation 1 per channel, so that shifts of colour and
    contrast do not count. The distance in one direction is the mean absolute difference of the sorted
    projections (1-Wasserstein, where `sliced_wasserstein` has the root of the mean square). Numbers are
    multiplied by 1,000; published ones are of 16,384 images. The i-th real and the i-th fake are cut at the
    same random places, so that equal sets are at distance 0; the floor is the distance of two sets of reals.
    Each level needs 75 KB of memory per image of each set, with 3 channels and 128 patches.

    Args:
      real: images [n, h, w, c], uint8 or float.
      fake: images of the same shape.
      levels: number of levels; None goes on while the next level has at least 16 pixels a side.
      patches_per_image: number of random positions in each image, for each level.
      projections: number of directions, uniform on the sphere.
      seed: of positions and directions.

    Returns:
      The distance of each level by its height in pixels, the finest first. Their mean is the published average.

    Raises:
      InputError: if the sets differ in shape, or their sides cannot be halved as often or become too small.

    References:
      Karras, Aila, Laine, Lehtinen (2018), Progressive growing of GANs, section 5; Burt, Adelson (1983) for the
      pyramid.
    """
    real, fake = np.asarray(real), np.asarray(fake)
    if real.ndim != 4 or real.shape != fake.shape or 0 in real.shape:
        raise InputError(
            f"swd_patches: expected two sets of images of one shape [n, h, w, c], got {real.shape} and {fake.shape}"
        )
    check_range("patches_per_image", patches_per_image, at_least=1)
    check_range("projections", projections, at_least=1)
    levels = _levels(real.shape[1:3], levels)
    real_patches = _patches(real, levels, patches_per_image, seed)
    fake_patches = _patches(fake, levels, patches_per_image, seed)
    directions = np.random.default_rng(seed).normal(size=(PATCH * PATCH * real.shape[3], projections))
    directions = (directions / np.linalg.norm(directions, axis=0)).astype(np.float32)
    return {
        real.shape[1] >> level: 1000 * _sliced(_normalise(r), _normalise(f), directions)
        for level, (r, f) in enumerate(zip(real_patches, fake_patches, strict=True))
    }


def swd_patches_errors(
    real: np.ndarray, fake: np.ndarray, *, patches_per_image: int = 128, projections: int = 32, seed: int = 0
) -> dict[int, float]:
    """Standard errors of `swd_patches` that come from the choice of the fakes, by the delete-a-group jackknife.

    A tenth of the fakes is left out in turn, and the others are compared with the same reals, at their quantiles. A
    few directions say as much of the spread as many.

    Args:
      real: as of `swd_patches`.
      fake: as of `swd_patches`; at least 3 in each tenth.
      patches_per_image: as of `swd_patches`.
      projections: number of directions.
      seed: of positions and directions.

    Returns:
      The error of each level by its height in pixels; nothing where there are too few fakes.
    """
    real, fake = np.asarray(real), np.asarray(fake)
    if len(fake) < 3 * GROUPS:
        return {}
    levels = _levels(real.shape[1:3], None)
    directions = np.random.default_rng(seed).normal(size=(PATCH * PATCH * real.shape[3], projections))
    directions = (directions / np.linalg.norm(directions, axis=0)).astype(np.float32)
    sets = zip(*(_patches(x, levels, patches_per_image, seed) for x in (real, fake)), strict=True)
    groups, errors = np.arange(len(fake)) % GROUPS, {}
    for level, (r, f) in enumerate(sets):
        ordered, f = (
            np.sort(_normalise(r) @ directions, axis=0),
            f.reshape(len(fake), patches_per_image, *f.shape[1:]),
        )
        without = []
        for group in range(GROUPS):
            kept = np.sort(_normalise(np.concatenate(f[groups != group])) @ directions, axis=0)
            same = ((np.arange(len(kept)) + 0.5) * len(ordered) / len(kept)).astype(int)
            without.append(1000 * float(np.abs(kept - ordered[same]).mean(dtype=np.float64)))
        errors[real.shape[1] >> level] = jackknife_error(without)
    return errors


def _levels(sides: tuple[int, ...], levels: int | None) -> int:
    """The number of levels, checked or chosen."""
    fits = lambda n: all(side % 2 ** (n - 1) == 0 for side in sides)
    if levels is None:
        levels = 1
        while fits(levels + 1) and min(sides) >> levels >= _SMALLEST:
            levels += 1
    if levels < 1 or not fits(levels) or min(sides) >> (levels - 1) < PATCH:
        raise InputError(
            f"levels: expected sides that {levels} levels halve to at least {PATCH} pixels each, "
            f"got images of {sides[0]}x{sides[1]}"
        )
    return levels


def _patches(images: np.ndarray, levels: int, per_image: int, seed: int) -> list[np.ndarray]:
    """Random patches of each level: float32 [n * per_image, 7, 7, c]."""
    n, height, width, channels = images.shape
    positions = []
    for level in range(levels):
        rng = np.random.default_rng((seed, level))
        free = (height >> level) - PATCH + 1, (width >> level) - PATCH + 1
        positions.append(rng.integers(free, size=(n, per_image, 2)))
    patches = [np.empty((n, per_image, PATCH, PATCH, channels), np.float32) for _ in range(levels)]
    offset = np.arange(PATCH)
    for start in range(0, n, _IMAGES_AT_ONCE):
        part = slice(start, start + _IMAGES_AT_ONCE)
        for level, image in enumerate(_laplacian(images[part].astype(np.float32), levels)):
            rows = positions[level][part, :, 0, None, None] + offset[:, None]
            columns = positions[level][part, :, 1, None, None] + offset
            patches[level][part] = image[np.arange(len(image))[:, None, None, None], rows, columns]
    return [p.reshape(-1, PATCH, PATCH, channels) for p in patches]


def _laplacian(images: np.ndarray, levels: int) -> list[np.ndarray]:
    """Each level minus the next coarser one expanded, finest first; the coarsest level as it is."""
    pyramid = [images]
    for _ in range(levels - 1):
        coarse = blur(pyramid[-1])[:, ::2, ::2]
        pyramid[-1] = pyramid[-1] - expand(coarse)
        pyramid.append(coarse)
    return pyramid


def blur(images: np.ndarray) -> np.ndarray:
    """Filters images [n, h, w, c] with binomial weights on both axes; mirrors them at the edge pixel."""
    rows = scipy.ndimage.convolve1d(images, _BINOMIAL, axis=1, mode="mirror")
    return scipy.ndimage.convolve1d(rows, _BINOMIAL, axis=2, mode="mirror")


def expand(images: np.ndarray) -> np.ndarray:
    """Expands images to twice their size: puts zeros between the pixels, blurs, and multiplies by 4 for the zeros."""
    n, height, width, channels = images.shape
    spread = np.zeros((n, 2 * height, 2 * width, channels), images.dtype)
    spread[:, ::2, ::2] = images
    return 4 * blur(spread)


def _normalise(patches: np.ndarray) -> np.ndarray:
    """[m, 7, 7, c] -> [m, 49 c] with mean 0 and deviation 1 per channel; a constant channel becomes 0."""
    mean = patches.mean((0, 1, 2), dtype=np.float64)
    std = patches.std((0, 1, 2), dtype=np.float64)
    normal = (patches - mean.astype(np.float32)) / np.where(std > 0, std, 1.0).astype(np.float32)
    return normal.reshape(len(patches), -1)


def _sliced(x: np.ndarray, y: np.ndarray, directions: np.ndarray) -> float:
    """Mean absolute difference of the sorted projections of x and y."""
    distances = []
    for start in range(0, directions.shape[1], _DIRECTIONS_AT_ONCE):
        some = directions[:, start : start + _DIRECTIONS_AT_ONCE]
        gaps = np.sort(x @ some, axis=0) - np.sort(y @ some, axis=0)
        distances.append(np.abs(gaps).mean(0, dtype=np.float64))
    return float(np.concatenate(distances).mean())
