"""Statistics of reals: kept in the cache, and read from and written to npz files."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import pathlib
import zipfile
from collections.abc import Callable
from typing import NotRequired, TypedDict

import numpy as np

from jaxgan.common.checking.laws import first_line
from jaxgan.common.errors import InputError
from jaxgan.common.files import printable, write_atomically
from jaxgan.common.schema import Count, check, parsed_json
from jaxgan.data import cache_dir
from jaxgan.metrics.scores.frechet import Gaussian

_ARRAYS = ("mu", "sigma", "protocol")
_LARGEST = 2**30  # bytes of an array: 11,000 features


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
    where = f"reference: {printable(path)!r}"
    try:
        _check_sizes(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            lacks = [name for name in ("mu", "sigma") if name not in stored]
            mu, sigma, text = (stored[name] if name in stored else None for name in _ARRAYS)  # noqa: SIM401
    except OSError as error:
        raise InputError(f"reference: cannot read {printable(path)!r}: {error.strerror or error}") from error
    except Exception as error:  # damaged files surface as many types
        raise InputError(
            f"reference: cannot read {printable(path)!r}: expected an npz file, got {type(error).__name__} "
            f"({first_line(error)[:200]})"
        ) from error
    if mu is None or sigma is None:
        raise InputError(f"{where}: expected arrays 'mu' and 'sigma', got no {lacks[0]!r}")
    for name, array in (("mu", mu), ("sigma", sigma)):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            kind = array.dtype if isinstance(array, np.ndarray) else "no array"
            raise InputError(f"{where}: expected {name} to be numbers, got {kind}")
    mu, sigma, protocol = mu.astype(np.float64), sigma.astype(np.float64), _protocol(where, text)
    if mu.ndim != 1 or sigma.shape != (len(mu), len(mu)):
        raise InputError(
            f"reference: expected mu [d] and sigma [d, d] in {str(path)!r}, got {mu.shape} and {sigma.shape}"
        )
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise InputError(f"reference: expected finite mu and sigma in {str(path)!r}, got NaN or infinity")
    return Gaussian(mu, sigma), protocol


class _Protocol(TypedDict):
    """What is told of the statistics."""

    features: NotRequired[str]
    n: NotRequired[Count]


def _protocol(where: str, text: np.ndarray | None) -> dict[str, str | int]:
    """What the array "protocol" tells, which holds a JSON text; nothing where there is none."""
    if text is None:
        return {}
    try:
        found = parsed_json(str(text))
    except Exception as error:  # its letters may be none
        raise InputError(
            f"{where}: expected protocol to be a JSON text, got {type(error).__name__} ({first_line(error)[:100]})"
        ) from error
    check(found, dict[str, str | float | bool | None], where, "protocol")
    check(found, _Protocol, where, "protocol")
    return found


def _check_sizes(path: pathlib.Path) -> None:
    """Raises ValueError for arrays too large for statistics, before anything is unpacked."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename.removesuffix(".npy") in _ARRAYS and entry.file_size > _LARGEST:
                raise ValueError(f"{entry.filename}: {entry.file_size:,} bytes are more than {_LARGEST:,}")


def is_reference(path: pathlib.Path) -> bool:
    """Whether a file is an npz with "mu" and "sigma"."""
    if path.suffix != ".npz" or not path.is_file():
        return False
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {"mu", "sigma"} <= set(stored.files)
    except Exception:  # damaged files surface as many types; opening them as images tells
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
