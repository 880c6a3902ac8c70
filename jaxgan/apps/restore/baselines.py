"""What a person would use instead of a network: enlargement by a filter, scikit-image's and OpenCV's restoration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgan.common.packages import need
from jaxgan.metrics.restoration import enlarged

_INSTALL = "pip install 'jaxgan[restore]'"


def _restoration(who: str) -> Any:
    need(["skimage"], who, _INSTALL)
    import skimage.restoration  # pyright: ignore[reportMissingImports]

    return skimage.restoration


def _shares(image: np.ndarray) -> np.ndarray:
    """An image of 8 or 16 bits from 0 to 1, without a channel axis of one."""
    x = image.astype(np.float64) / np.iinfo(image.dtype).max
    return x[..., 0] if x.shape[2] == 1 else x


def _pixels(x: np.ndarray, dtype: Any) -> np.ndarray:
    most = np.iinfo(dtype).max
    x = x[..., None] if x.ndim == 2 else x
    return np.clip(np.round(x * most), 0, most).astype(dtype)


def bicubic(image: np.ndarray, scale: int) -> np.ndarray:
    """An image [h, w, c] enlarged by Pillow's bicubic filter."""
    return enlarged(image, scale * image.shape[0], scale * image.shape[1])


def lanczos(image: np.ndarray, scale: int) -> np.ndarray:
    """An image [h, w, c] enlarged by Pillow's Lanczos filter."""
    return enlarged(image, scale * image.shape[0], scale * image.shape[1], "lanczos")


def non_local_means(image: np.ndarray, level: float) -> np.ndarray:
    """Noise of standard deviation `level` / 255 taken off by non-local means, which is told the level.

    Patches of 5x5 pixels within 6 pixels, h = 0.8 sigma, as scikit-image's documentation has it for a known sigma.

    References:
      Buades, Coll, Morel (2005), A non-local algorithm for image denoising.
    """
    sigma, x = level / 255, _shares(image)
    options = {"channel_axis": -1 if x.ndim == 3 else None, "patch_size": 5, "patch_distance": 6}
    denoise = _restoration("non-local means").denoise_nl_means
    return _pixels(denoise(x, h=0.8 * sigma, sigma=sigma, fast_mode=False, **options), image.dtype)


def total_variation(image: np.ndarray, weight: float) -> np.ndarray:
    """Noise taken off by total variation; `weight` is best chosen on other images.

    References:
      Chambolle (2004), An algorithm for total variation minimization and applications.
    """
    x = _shares(image)
    denoise = _restoration("total variation").denoise_tv_chambolle
    return _pixels(denoise(x, weight=weight, channel_axis=-1 if x.ndim == 3 else None), image.dtype)


def biharmonic(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """An image filled by the biharmonic equation where the mask [h, w] is not 0.

    References:
      Damelin, Hoang (2018), On surface completion and image inpainting by biharmonic functions.
    """
    x = _shares(image)
    fill = _restoration("biharmonic inpainting").inpaint_biharmonic
    return _pixels(fill(x, mask != 0, channel_axis=-1 if x.ndim == 3 else None), image.dtype)


def telea(image: np.ndarray, mask: np.ndarray, radius: float = 3.0) -> np.ndarray:
    """An image filled from the rim inwards where the mask [h, w] is not 0, from pixels within `radius`.

    OpenCV fills images of one channel, and of three channels of 8 bits; others are filled a channel at a time.

    References:
      Telea (2004), An image inpainting technique based on the fast marching method.
    """
    need(["cv2"], "Telea's inpainting", _INSTALL)
    import cv2  # pyright: ignore[reportMissingImports]

    hole = (mask != 0).astype(np.uint8)
    fill = lambda x: cv2.inpaint(np.ascontiguousarray(x), hole, radius, cv2.INPAINT_TELEA)
    if image.shape[2] == 3 and image.dtype == np.uint8:
        return fill(image)
    return np.stack([fill(image[..., c]) for c in range(image.shape[2])], -1)


BASELINES: dict[str, Callable[..., np.ndarray]] = {
    "bicubic": bicubic,
    "lanczos": lanczos,
    "non-local means": non_local_means,
    "total variation": total_variation,
    "biharmonic": biharmonic,
    "telea": telea,
}
"""Name -> function of an image uint8 or uint16 [h, w, c] and one more argument."""
