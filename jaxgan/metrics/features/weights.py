"""Pretrained weights: downloaded once, checked, and read without running anything that a file asks for."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import pathlib
import pickle
import pickletools
import shutil
import struct
import sys
import tempfile
import urllib.request
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

import jax.numpy as jnp
import numpy as np

from jaxgan.data.cache import cache_dir
from jaxgan.errors import InputError

Arrays = dict[str, np.ndarray]
_CONVERSION = 1  # counts changes in what converted weights look like
_TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True)
class Weights:
    """Where published weights are.

    Attributes:
      name: of the network; goes into file names.
      url: of the file.
      sha256: of the file, all 64 digits or the first of them; None takes what comes.
      option: how a user names a file of their own; said where a download fails.
    """

    name: str
    url: str
    sha256: str | None = None
    option: str = "file"

    @property
    def path(self) -> pathlib.Path:
        """Of the download in the per-user cache."""
        return _folder() / self.url.rsplit("/", 1)[-1]


def sha256_of(path: pathlib.Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(weights: Weights, file: pathlib.Path | None = None) -> pathlib.Path:
    """The file given, else the one in the per-user cache, downloaded on first use.

    Args:
      weights: where to get them.
      file: a copy at hand, taken as it is.

    Raises:
      InputError: if there is no such file, the download fails or its SHA-256 is another.
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
    """Converted weights and the SHA-256 of the file that they come from.

    The conversion is kept as safetensors in the per-user cache, by the hash of its source.

    Args:
      weights: where to get them.
      convert: tensors by PyTorch's names -> arrays by our names.
      file: a copy at hand, in any form that `read_torch` knows.

    Raises:
      InputError: if they cannot be had, read or converted; the message names the file.
    """
    path = fetch(weights, file)
    sha256 = sha256_of(path)
    if file is None:
        _check(weights, sha256, f"{path} (delete it, and it is downloaded again)")
    kept = _folder() / f"{weights.name}-{sha256[:12]}-v{_CONVERSION}.safetensors"
    try:
        return _read_safetensors(kept), sha256
    except Exception:  # not there yet, or not whole
        tensors = read_torch(path)
    try:
        converted = convert(tensors)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    _keep(converted, kept, sha256)
    return converted, sha256


def read_torch(path: pathlib.Path) -> Arrays:
    """Tensors by name of a file that `torch.save` or safetensors wrote, without PyTorch.

    Reads a state dict of strided tensors in the zip format, in that of PyTorch before 1.6, and in
    safetensors; the content decides which, not the suffix. Pickles may name tensors, their storages
    and ordered dictionaries; anything else is refused before it runs. Arrays are read-only views
    of the file's storages, bfloat16 as jnp.bfloat16.

    Raises:
      InputError: for a file that is broken, of another kind, or holds anything but tensors.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
        if head[8:] == b"{":  # after the 8 bytes of its header's length
            return _read_safetensors(path)
        if head[:2] == b"PK":
            return _read_zip(path)
        if head[:1] == b"\x80":
            return _read_legacy(path)
        raise InputError("expected weights written by torch.save or safetensors, got another kind of file")
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # from a broken file, the unpickler raises anything
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(f"{path}: cannot be read as weights ({reason}); is the file whole?") from error


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
            f"put the file at {path}, or name a copy of it with {weights.option}"
        ) from error
    finally:
        if temporary is not None:
            pathlib.Path(temporary).unlink(missing_ok=True)


def _keep(arrays: Arrays, path: pathlib.Path, source_sha256: str) -> None:
    """Writes a conversion, where it can be written: the next process is spared the work."""
    from safetensors.numpy import save_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
            temporary = pathlib.Path(folder) / path.name
            save_file(arrays, temporary, {"source_sha256": source_sha256})
            os.replace(temporary, path)
    except OSError:
        pass


def _read_safetensors(path: pathlib.Path) -> Arrays:
    from safetensors.numpy import load_file

    return load_file(path)


# --- PyTorch's formats -----------------------------------------------------------------------------

_MAGIC = 0x1950A86A20F9469CFC6C  # of the format before zip
_STORAGES: Mapping[str, np.dtype] = {
    "DoubleStorage": np.dtype(np.float64),
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(jnp.bfloat16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ShortStorage": np.dtype(np.int16),
    "CharStorage": np.dtype(np.int8),
    "ByteStorage": np.dtype(np.uint8),
    "BoolStorage": np.dtype(np.bool_),
}


# What pickles of state dicts consist of. The rest would only make the unpickler's memory grow or call more.
_OPCODES = (
    "PROTO FRAME STOP MARK GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID PUT BINPUT LONG_BINPUT MEMOIZE "
    "GET BINGET LONG_BINGET NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINSTRING "
    "SHORT_BINSTRING BINUNICODE SHORT_BINUNICODE EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST "
    "APPEND APPENDS EMPTY_DICT SETITEM SETITEMS"
)


@dataclass(frozen=True)
class _StorageType:
    dtype: np.dtype


@dataclass(frozen=True)
class _Storage:
    """A run of `size` numbers in the file."""

    key: str
    dtype: np.dtype
    size: int


@dataclass(frozen=True)
class _Tensor:
    """A tensor whose storage is still to be read; strides count numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Knows the few names that a state dict needs, and builds descriptions of tensors from them."""

    def __init__(self, file: IO[bytes]) -> None:
        """Takes the next pickle of `file`."""
        super().__init__(io.BytesIO(_next_pickle(file)))
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        """Made anew each time but for OrderedDict, which is immutable: a file can leave nothing behind."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(
                storage, offset, tuple(shape), tuple(strides)
            )
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module in ("torch", "torch.cuda") and name in _STORAGES:
            return _StorageType(_STORAGES[name])
        raise InputError(f"expected nothing but tensors, got {module}.{name}, which is not run")

    def persistent_load(self, pid: Any, /) -> _Storage:
        """The storage ("storage", type, key, device, size); before zip, None follows."""
        kind, storage_type, key, _, size, *view = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType) or not isinstance(key, str):
            raise InputError(f"expected nothing but tensors, got a reference to {kind!r}")
        if not isinstance(size, int) or size < 0 or any(v is not None for v in view):
            raise InputError(
                f"storage {key!r}: expected a whole one with its size, got size {size!r} of {view}"
            )
        storage = _Storage(key, storage_type.dtype, size)
        self.storages[key] = storage
        return storage


def _next_pickle(file: IO[bytes]) -> bytes:
    """The bytes of the next pickle, of known opcodes only, with a memo no longer than the pickle."""
    known, start = frozenset(_OPCODES.split()), file.tell()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if opcode.name not in known:
            raise InputError(f"expected nothing but tensors, got a pickle with {opcode.name}")
        if opcode.name.endswith("PUT") and int(argument or 0) > count:  # a list of that length would be made
            raise InputError(f"expected a pickle as torch.save writes it, got entry {argument} of its memo")
    end = file.tell()
    file.seek(start)
    return file.read(end - start)


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    """An entry, which is as long as it takes room in the file."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise InputError(f"{name}: expected an entry without compression, as torch.save writes it")
    return archive.read(name)


def _read_zip(path: pathlib.Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1:
            raise InputError("expected a zip archive written by torch.save, got another one")
        root = pickles[0].removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist() and _stored(archive, f"{root}byteorder") != b"little":
            raise InputError("expected numbers in little-endian order, got another order")
        unpickler = _Unpickler(io.BytesIO(_stored(archive, pickles[0])))
        tree = unpickler.load()
        values = {}
        for key, storage in unpickler.storages.items():
            content = _stored(archive, f"{root}data/{key}")
            if len(content) != storage.size * storage.dtype.itemsize:
                raise InputError(f"storage {key!r}: expected {storage.size} numbers of type {storage.dtype}")
            values[key] = np.frombuffer(content, storage.dtype)
    return _arrays(tree, values)


def _read_legacy(path: pathlib.Path) -> Arrays:
    """Four pickles (magic number, version, machine, state dict), storages' keys, then their bytes."""
    with path.open("rb") as file:
        magic, _, machine = (_Unpickler(file).load() for _ in range(3))
        if magic != _MAGIC:
            raise InputError("expected weights written by torch.save, got another pickle")
        if not machine["little_endian"]:
            raise InputError("expected numbers in little-endian order, got another order")
        unpickler = _Unpickler(file)
        tree = unpickler.load()
        values = {}
        for key in _Unpickler(file).load():
            storage = unpickler.storages[key]
            (size,) = struct.unpack("<q", file.read(8))
            n_bytes = size * storage.dtype.itemsize
            if size != storage.size or n_bytes > path.stat().st_size - file.tell():
                raise InputError(f"storage {key!r}: expected {storage.size} numbers; is the file whole?")
            values[key] = np.frombuffer(file.read(n_bytes), storage.dtype)
    return _arrays(tree, values)


def _arrays(tree: Any, values: Arrays) -> Arrays:
    """The tensors of a state dict, from the numbers of each storage."""
    if not isinstance(tree, dict):
        raise InputError(f"expected tensors by name, got a {type(tree).__name__}")
    for name, value in tree.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise InputError(f"expected tensors by name, got a {type(value).__name__} at {name!r}")
    return {name: _array(name, tensor, values[tensor.storage.key]) for name, tensor in tree.items()}


def _array(name: str, tensor: _Tensor, values: np.ndarray) -> np.ndarray:
    shape, strides = tensor.shape, tensor.strides
    counts = (tensor.offset, *shape, *strides)
    if len(shape) != len(strides) or not all(isinstance(n, int) and n >= 0 for n in counts):
        raise InputError(f"{name}: expected a strided tensor, got shape {shape} and strides {strides}")
    if 0 in shape:
        return np.empty(shape, values.dtype)
    first = tensor.offset
    if first + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True)) >= len(values):
        raise InputError(
            f"{name}: expected a tensor inside its storage of {len(values)} numbers, got one beyond"
        )
    in_bytes = [stride * values.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(values[first:], shape, in_bytes, writeable=False)
