"""Statistics of reals: kept in the cache, and read from and written to npz files."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import pathlib
from collections.abc import Callable

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.data import cache_dir
from jaxgan.metrics.scores.frechet import Gaussian


def save_reference(path: pathlib.Path, gaussian: Gaussian, protocol: dict[str, str | int]) -> None:
    """Writes mean and covariance in float64 under their customary names "mu" and "sigma", and "protocol" as JSON."""
    buffer = io.BytesIO()
    np.savez(buffer, mu=gaussian.mean, sigma=gaussian.cov, protocol=np.asarray(json.dumps(protocol)))
    write_atomically(path, buffer.getvalue())


def load_reference(path: pathlib.Path) -> tuple[Gaussian, dict[str, str | int]]:
    """Reads what `save_reference` wrote, or a published file of "mu" and "sigma", whose protocol is then empty.

    Raises:
      InputError: if the file cannot be read or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            mu, sigma = stored["mu"].astype(np.float64), stored["sigma"].astype(np.float64)
            protocol = json.loads(str(stored["protocol"])) if "protocol" in stored else {}
    except KeyError as error:
        raise InputError(f"reference: expected arrays 'mu' and 'sigma' in {str(path)!r}: {error}") from error
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"reference: cannot read {str(path)!r}: {error}") from error
    if mu.ndim != 1 or sigma.shape != (len(mu), len(mu)):
        raise InputError(
            f"reference: expected mu [d] and sigma [d, d] in {str(path)!r}, got {mu.shape} and {sigma.shape}"
        )
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise InputError(f"reference: expected finite mu and sigma in {str(path)!r}, got NaN or infinity")
    return Gaussian(mu, sigma), protocol


def is_reference(path: pathlib.Path) -> bool:
    """Whether a file is an npz with "mu" and "sigma"."""
    if path.suffix != ".npz" or not path.is_file():
        return False
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {"mu", "sigma"} <= set(stored.files)
    except (OSError, ValueError, EOFError):
        return False


def cached_reference(settings: dict[str, str | int], compute: Callable[[], Gaussian]) -> Gaussian:
    """The statistics that belong to these settings, from the cache, or computed and put there.

    Args:
      settings: everything that changes the statistics, the fingerprint of the images included.
      compute: called if they are not in the cache.
    """
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]
    path = cache_dir() / "references" / f"{key}.npz"
    if path.exists():
        with contextlib.suppress(InputError):  # damaged: computed again
            gaussian, stored = load_reference(path)
            if stored == settings:
                return gaussian
    gaussian = compute()
    with contextlib.suppress(OSError):  # no room for a cache is no reason to lose scores
        save_reference(path, gaussian, settings)
    return gaussian
