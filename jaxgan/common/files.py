"""Writing files so that they are there whole or not at all."""

from __future__ import annotations

import os
import pathlib
import re
import tempfile
from collections.abc import Callable
from typing import Any, BinaryIO

from jaxgan.common.errors import InputError


def printable(name: str | os.PathLike[str]) -> str:
    """A name for people to read: bytes in it that are not UTF-8 become "\\xff", line breaks "\\n"."""
    text = os.fspath(name)
    try:
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a surrogate pair, which no file system gave
        text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def expanded(path: str | os.PathLike[str]) -> pathlib.Path:
    """The path with "~" replaced by the home folder, where there is one."""
    try:
        return pathlib.Path(path).expanduser()
    except RuntimeError:  # nobody's home
        return pathlib.Path(path)


def local_folder(argument: str, name: str) -> pathlib.Path:
    """The folder that a person names, with "~" replaced.

    Raises:
      InputError: which names `argument`, for the address of a store elsewhere, or bytes that are not UTF-8, in which no
        checkpoint can be written.
    """
    path = expanded(name)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", name) or name.startswith(("gs:", "s3:")):
        raise InputError(f"{argument}: expected a folder of this machine, got {printable(name)!r}")
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{argument}: expected a path in UTF-8, got {printable(path.absolute())!r}"
        ) from error
    return path


def read_bytes(argument: str, path: pathlib.Path, *, largest: int) -> bytes:
    """The content of a file that may be a stranger's: no pipe, device or endless file keeps or fills the process.

    Args:
      argument: what messages begin with.
      path: of the file.
      largest: bytes, beyond which it is not read.

    Raises:
      FileNotFoundError, NotADirectoryError: where there is no file.
      InputError: for a file that cannot be read.
    """
    cannot = f"{argument}: cannot read {printable(path)!r}"
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InputError(f"{cannot}: it is no regular file")
        if size > largest:
            raise InputError(f"{cannot}: expected at most {largest:,} bytes, got {size:,}")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise InputError(f"{cannot}: {error.strerror or error}") from error


def write_atomically(path: pathlib.Path, content: str | bytes) -> None:
    """Writes a temporary file beside `path` and renames it: `path` is never half written. Makes its folder, too."""
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    written_atomically(path, lambda file: file.write(data))


def written_atomically(path: pathlib.Path, write: Callable[[BinaryIO], Any]) -> None:
    """Writes a file whole or not at all, by what `write` writes to an open file: it need not be in memory whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
