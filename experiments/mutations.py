"""Files made wrong, as accidents and strangers make them: pure functions of a file and a random generator."""

from __future__ import annotations

import copy
import io
import json
import random
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 255, 2**31, 2**63, 10**400, -(2**63) - 1),
    *(-0.0, 0.5, 1e-9, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
    *(
        "",
        "x",
        "<script>alert(1)</script>",
        "\ud800",
        "\x1b[2J\n",
        "../../x",
        "/etc/passwd",
        "a.py:f",
        "image",
    ),
    *("a" * 3000, [], {}, [[]], [None], [1, "x"], {"": None}, {"step": 1}, DEEP),
)
"""What stands in the place of a part of a JSON file: every type, ends of ranges, and texts that mean something."""


def of_bytes(data: bytes, rng: random.Random) -> bytes:
    """A file with one to four accidents: bits flipped, bytes changed, cut out, doubled, put in, or the end lost."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(changed) + 1)
        some = rng.choice((1, 2, 4, 16, 64))
        match rng.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at : at + some] = rng.randbytes(len(changed[at : at + some]))
            case 2:
                del changed[at : at + some]
            case 3:
                changed[at:at] = changed[at : at + some]
            case 4:
                changed[at:at] = rng.choice(
                    (b"\0", b"\xff" * 4, b"{", b"]", b'"', b"\n", b"9" * 30, b"\xf0\x28")
                )
            case _:
                del changed[at:]
    return bytes(changed)


def of_json(value: Any, rng: random.Random) -> bytes:
    """A JSON file with a part replaced, lost, doubled or renamed; a third of them as `of_bytes` has them."""
    if rng.random() < 1 / 3:
        return of_bytes(json.dumps(value).encode(), rng)
    return json.dumps(_other(copy.deepcopy(value), rng)).encode()


def of_lines(values: list[Any], rng: random.Random) -> bytes:
    """The same of a file of one JSON value a line, of which one is changed."""
    lines = [json.dumps(value).encode() for value in values]
    at = rng.randrange(len(lines))
    lines[at] = of_json(values[at], rng)
    return b"\n".join(lines) + rng.choice((b"\n", b"", b"\n\n", lines[0][:9]))


def of_zip(data: bytes, rng: random.Random) -> bytes:
    """An archive with an accident, or one made again, whole, of files with accidents, other names or other headers."""
    if rng.random() < 0.4:
        return of_bytes(data, rng)
    buffer = io.BytesIO()
    with (
        warnings.catch_warnings(),
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(buffer, "w") as new,
    ):
        warnings.simplefilter("ignore")  # of names that are there twice
        chosen = rng.choice(old.namelist())
        for name in old.namelist():
            content = old.read(name)
            if name == chosen:
                content = (
                    of_bytes(content[:128], rng) + content[128:]
                    if rng.random() < 0.7
                    else of_bytes(content, rng)
                )
                name = rng.choice(
                    (name, name, name, "../" + name, name + "/", "\\" + name, "x", "dataset.json")
                )
            methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
            new.writestr(name, content, rng.choice(methods))
    return buffer.getvalue()


def _other(value: Any, rng: random.Random) -> Any:
    """A tree with one of its parts made another."""
    places = list(_places(value))
    if not places or rng.random() < 0.02:
        return rng.choice(ODD)
    holder, key = rng.choice(places)
    match rng.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[f"{key}{rng.choice(('_', '<b>', ' '))}"] = holder.pop(key)
        case 2 if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        case 3 if isinstance(holder[key], int | float):
            changes: tuple[Callable[[Any], Any], ...] = (
                lambda x: -x,
                lambda x: x * 1e9,
                lambda x: x + 0.5,
                str,
            )
            holder[key] = rng.choice(changes)(holder[key])
        case 4:
            holder[key] = [holder[key]]
        case _:
            holder[key] = rng.choice(ODD)
    return value


def _places(value: Any) -> Any:
    """(list or object, index or name) of every part of a tree."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in list(entries):
        yield value, key
        yield from _places(item)
