"""Pretrained weights: downloaded once, checked by their hash, converted once and kept."""

from __future__ import annotations

import hashlib
import http.client
import os
import pathlib
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace

from jaxgan.common.errors import InputError
from jaxgan.data.cache import cache_dir
from jaxgan.models.pretrained.torch_files import Arrays, read_safetensors, read_torch

_CONVERSION = 1  # counts changes in what converted weights look like
_TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True)
class Weights:
    """Where published weights are.

    Attributes:
      name: name of the network; goes into file names.
      url: where the file is published.
      sha256: SHA-256 of the file, all 64 digits or the first of them; None takes what comes.
      option: what a user writes before the name of a copy of the file; messages about failed downloads say it.
    """

    name: str
    url: str
    sha256: str | None = None
    option: str = "file"

    def named_by(self, option: str) -> Weights:
        """The same, of which a user names a copy by another option."""
        return replace(self, option=option)

    @property
    def path(self) -> pathlib.Path:
        """Where the per-user cache keeps the download."""
        return _folder() / self.url.rsplit("/", 1)[-1]


def sha256_of(path: pathlib.Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(weights: Weights, file: pathlib.Path | None = None) -> pathlib.Path:
    """The file given, or else the one in the per-user cache, which is downloaded on first use.

    Args:
      weights: what to download, and from where.
      file: a copy at hand, which is taken as it is.

    Raises:
      InputError: if there is no such file, the download fails or its SHA-256 differs.
    """
    if file is not None:
        if not file.is_file():
            raise InputError(f"{weights.option}: expected a file of weights, there is none at {str(file)!r}")
        return file
    if not weights.path.is_file():
        _download(weights)
    return weights.path


def load(
    weights: Weights, convert: Callable[[Arrays], Arrays], file: pathlib.Path | None = None
) -> tuple[Arrays, str]:
    """Converted weights, and the SHA-256 of the file that they come from.

    The per-user cache keeps the conversion as safetensors, under the hash of its source.

    Args:
      weights: what to download, and from where.
      convert: tensors by PyTorch's names -> arrays by our names.
      file: a copy at hand, in any form that `read_torch` knows.

    Raises:
      InputError: if the weights cannot be had, read or converted; the message names the file.
    """
    path = fetch(weights, file)
    sha256 = sha256_of(path)
    if file is None:
        _check(weights, sha256, f"{path} (delete it, and it is downloaded again)")
    kept = _folder() / f"{weights.name}-{sha256[:12]}-v{_CONVERSION}.safetensors"
    try:
        return read_safetensors(kept), sha256
    except Exception:  # not there yet, or not whole
        tensors = read_torch(path)
    try:
        converted = convert(tensors)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    _keep(converted, kept, sha256)
    return converted, sha256


# --- downloads and conversions ------------------------------------------------------------------


def _folder() -> pathlib.Path:
    return cache_dir() / "weights"


def _check(weights: Weights, sha256: str, what: str) -> None:
    if not sha256.startswith(weights.sha256 or ""):
        raise InputError(
            f"weights of {weights.name}: expected SHA-256 {weights.sha256}, got {sha256}: {what}"
        )


def _download(weights: Weights) -> None:
    path = weights.path
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        print(f"downloading weights of {weights.name} from {weights.url}", file=sys.stderr)
        with (
            os.fdopen(handle, "wb") as target,
            urllib.request.urlopen(weights.url, timeout=_TIMEOUT) as source,
        ):
            shutil.copyfileobj(source, target)
            expected, got = source.headers.get("Content-Length"), target.tell()
        if expected is not None and int(expected) != got:
            raise OSError(f"{got} of {expected} bytes came")
        _check(weights, sha256_of(pathlib.Path(temporary)), weights.url)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"weights of {weights.name}: cannot download {weights.url} ({error}); "
            f"put the file at {path}, or name a copy of it: {weights.option} FILE"
        ) from error
    finally:
        if temporary is not None:
            pathlib.Path(temporary).unlink(missing_ok=True)


def _keep(arrays: Arrays, path: pathlib.Path, source_sha256: str) -> None:
    """Writes a conversion where it can be written, which spares the next process the work."""
    from safetensors.numpy import save_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
            temporary = pathlib.Path(folder) / path.name
            save_file(arrays, temporary, {"source_sha256": source_sha256})
            os.replace(temporary, path)
    except OSError:
        pass
