"""Reads weights from files of PyTorch and of safetensors, without running code from them."""

from __future__ import annotations

import io
import pathlib
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError

Arrays = dict[str, np.ndarray]


def read_torch(path: pathlib.Path) -> Arrays:
    """Tensors by name of a file that `torch.save` or safetensors wrote, read without PyTorch.

    The file holds a state dict of strided tensors in PyTorch's zip format, in its format before 1.6, or in
    that of safetensors; the content decides which, not the suffix. Pickles may name tensors, their storages
    and ordered dictionaries; anything else is refused before it runs. Arrays are read-only views of the
    file's storages; bfloat16 becomes jnp.bfloat16.

    Raises:
      InputError: for a file that is broken, of another kind, or holds anything but tensors.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
        if head[8:] == b"{":  # after the 8 bytes of its header's length
            return read_safetensors(path)
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


def read_safetensors(path: pathlib.Path) -> Arrays:
    """Tensors by name of a safetensors file. For another file, raises what the library raises."""
    from safetensors.numpy import load_file

    return load_file(path)


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


class Unpickler(pickle.Unpickler):
    """Reads one pickle: knows the few names that a state dict needs, and makes descriptions of tensors of them."""

    def __init__(self, file: IO[bytes]) -> None:
        """Takes the next pickle of `file`."""
        super().__init__(io.BytesIO(_next_pickle(file)))
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        """What a name stands for, made anew each time (OrderedDict is immutable): a file can leave nothing behind."""
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
        """The storage that ("storage", type, key, device, size) names; before zip, None follows the size."""
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
        unpickler = Unpickler(io.BytesIO(_stored(archive, pickles[0])))
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
        magic, _, machine = (Unpickler(file).load() for _ in range(3))
        if magic != _MAGIC:
            raise InputError("expected weights written by torch.save, got another pickle")
        if not machine["little_endian"]:
            raise InputError("expected numbers in little-endian order, got another order")
        unpickler = Unpickler(file)
        tree = unpickler.load()
        values = {}
        for key in Unpickler(file).load():
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
