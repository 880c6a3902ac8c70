"""MNIST, embedded in the package: 60,000 training and 10,000 test digits, 28x28, grey.

Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits. Licence: Creative
Commons Attribution-ShareAlike 3.0 (https://creativecommons.org/licenses/by-sa/3.0/); the images
are unchanged, only repacked.
"""

from __future__ import annotations

import pathlib
from functools import lru_cache

import numpy as np

from jaxgan.common.errors import lookup
from jaxgan.data.decoding.forms import grey_in_colour
from jaxgan.data.pixels import resized
from jaxgan.data.source import Images, fingerprint

PATH = pathlib.Path(__file__).parent / "mnist.npz"
# Of the arrays in the file, so that opening it need not hash 47 MB; the tests compare.
FINGERPRINTS = {
    "train": "ecb3b9c31921ecaf9f5bb2c8d32be36457031b2ea052183f186b077ff9876ccf",
    "test": "1d1306e589085ebeb6724f338911a82eeb6463b62ce4a0ec325634351802de1b",
}


@lru_cache(maxsize=2)
def arrays(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 28, 28, 1] and labels int32 [n] of a split, read once, and read only."""
    with np.load(PATH) as archive:
        images, labels = archive[f"{split}_images"].reshape(-1, 28, 28, 1), archive[f"{split}_labels"]
    return _shared(images), _shared(labels.astype(np.int32))


def load_mnist(split: str = "train", *, resolution: int | None = None, channels: int | None = None) -> Images:
    """Opens the digits of a split, "train" or "test".

    Raises:
      InputError: for another split.
    """
    lookup("split of mnist", split, FINGERPRINTS)
    images, identity = _sized(split, resolution, channels)
    notes = grey_in_colour(1, channels)
    return Images(
        f"mnist:{split}",
        images,
        arrays(split)[1],
        class_names=tuple("0123456789"),
        fingerprint=identity,
        notes=notes,
    )


@lru_cache(maxsize=2)  # both splits of a run, which are asked for again and again
def _sized(split: str, resolution: int | None, channels: int | None) -> tuple[np.ndarray, str]:
    """Images of a size of their own, and their fingerprint."""
    original, labels = arrays(split)
    images = _shared(resized(original, resolution, channels))
    return images, FINGERPRINTS[split] if images is original else fingerprint(images, labels)


def _shared(array: np.ndarray) -> np.ndarray:
    """The array, read only: whoever asks gets the same one, which is what its fingerprint says."""
    array.setflags(write=False)
    return array
