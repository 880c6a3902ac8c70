"""Features that a function of the user's own computes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.user_files import load_object, split
from jaxgan.metrics.features.network import FeatureNetwork, Outputs


def from_function(
    function: Callable[[np.ndarray], Any], name: str, identity: str, *, batch: int = 500
) -> FeatureNetwork:
    """Makes a feature network of any function.

    Args:
      function: uint8 images [n, h, w, c] -> features [n, d], or (features, logits [n, classes]), as arrays of
        JAX, of NumPy or of anything that NumPy can read. n is always `batch`.
      name: goes into the names of scores; letters, digits and underscores.
      identity: a text that changes when the function does.
      batch: number of images in a call.

    Raises:
      InputError: for another name; when the network is called, for results of another shape.
    """
    if not name.isidentifier():
        raise InputError(f"features: expected a name of letters, digits and underscores, got {name!r}")

    def apply(images: Any) -> Outputs:
        result = function(images)
        features, logits = result if isinstance(result, tuple) else (result, None)
        features = features if isinstance(features, jax.Array) else np.asarray(features)
        logits = logits if logits is None or isinstance(logits, jax.Array) else np.asarray(logits)
        for what, array in (("features", features), ("logits", logits)):
            if array is not None and (array.ndim != 2 or len(array) != len(images)):
                raise InputError(
                    f"features: expected {what} [{len(images)}, d] of {name!r}, got {array.shape}"
                )
        return Outputs(features, logits)

    return FeatureNetwork(name, identity, apply, batch, outputs=("features", "logits"))


def load(spec: str) -> FeatureNetwork:
    """The feature network of the function NAME in FILE.py, given as "FILE.py:NAME".

    Its identity is the first 12 digits of the SHA-256 of the file.

    Raises:
      InputError: if there is no such file or function.
    """
    path, name = split(spec)
    function = load_object("features", spec, fits=callable)
    if not callable(function):
        raise InputError(
            f"features: expected a function images -> features, got {type(function).__name__} {spec!r}"
        )
    return from_function(function, name, hashlib.sha256(path.read_bytes()).hexdigest()[:12])
