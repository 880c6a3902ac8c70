"""Stacked MNIST: three digits as the red, green and blue of one image, which makes 1,000 known modes.

Metz et al. (2017), Unrolled GANs, section 3.3.1; Srivastava et al. (2017), VEEGAN, section 4.2; Lin et
al. (2018), PacGAN, section 4.2.
"""

from __future__ import annotations

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.data.mnist import load_mnist
from jaxgan.data.source import Images, fingerprint

NAME = "stacked_mnist"
N_MODES = 1000
_SEED = 20161107  # of which digits are stacked; the data are the same in every run


def stack_indices(n_digits: int, n: int, seed: int) -> np.ndarray:
    """Chooses the digits that make up each of `n` images, independently, uniformly and with replacement.

    The choice is made of the raw bits of PCG64, which NumPy promises never to change. It makes no such
    promise for its Generator.

    Returns:
      int64 [n, 3]: indices of digits.
    """
    bits = np.random.PCG64(seed).random_raw(3 * n)
    return (bits % np.uint64(n_digits)).astype(np.int64).reshape(n, 3)


def mode_of(digits: np.ndarray) -> np.ndarray:
    """Gives the mode, 100 a + 10 b + c, of the digits [n, 3] in the red, green and blue channel: int32 [n]."""
    return (np.asarray(digits) @ np.array([100, 10, 1])).astype(np.int32)


def load_stacked_mnist(
    split: str = "train", *, resolution: int | None = None, channels: int | None = None
) -> Images:
    """Opens as many stacks as the split has digits: 60,000 of "train", 10,000 of "test", 28x28x3.

    The label is the mode, 0 to 999, and its name is the three digits, such as "407".

    Raises:
      InputError: for another split, or another number of channels than three.
    """
    if channels not in (None, 3):
        raise InputError(f"data.channels: expected 3 for source {NAME!r}, a digit in each, got {channels}")
    digits = load_mnist(split, resolution=resolution)
    assert digits.labels is not None  # MNIST has them
    indices = stack_indices(len(digits), len(digits), _SEED)
    images = np.empty((*digits.images.shape[:3], 3), np.uint8)
    for channel in range(3):
        images[..., channel] = digits.images[indices[:, channel], :, :, 0]
    labels = mode_of(digits.labels[indices])
    names = tuple(f"{mode:03d}" for mode in range(N_MODES))
    return Images(
        f"{NAME}:{split}", images, labels, class_names=names, fingerprint=fingerprint(images, labels)
    )
