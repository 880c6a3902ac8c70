"""`jaxgan doctor`: versions, devices, memory and folders, and what is wrong with them."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass

import jax

from jaxgan.cli.arguments import parse, print_rows
from jaxgan.common.files import printable
from jaxgan.common.packages import version_of
from jaxgan.data import cache_dir
from jaxgan.data.catalogue import data_dir
from jaxgan.models.layers.fast import strided
from jaxgan.runs.environment import (
    PACKAGES,
    memory_gib,
    no_devices,
    other_devices,
    processor,
    put_right,
    why_xla_ends,
)


@dataclass(frozen=True)
class Doctor:
    """Print versions, devices, memory and folders: what to send along with a question."""


def doctor(args: list[str]) -> None:
    """Prints versions, devices, memory and folders, and what is wrong."""
    parse(Doctor, args, "doctor")
    wrong = put_right()
    if why := why_xla_ends() or no_devices():
        wrong.append(why)
    else:
        wrong += other_devices()
    rows = described(without=why)
    print_rows(rows)
    for text in wrong or ["nothing that was looked at"]:
        print(f"{'wrong':{max(map(len, rows))}}  {text}")


def described(without: str = "") -> dict[str, str]:
    """The environment and the folders in use, for people: name -> text. What cannot be told says why.

    Args:
      without: why there are no devices, which then are not asked for.
    """
    rows = {
        "jaxgan": version_of("jaxgan"),
        "python": f"{platform.python_version()} ({printable(sys.executable)})",
    }
    rows |= {name: version_of(name) for name in PACKAGES}
    tensorflow = version_of("tensorflow-cpu").replace("missing", version_of("tensorflow"))
    rows |= {
        "tensorflow": f"{tensorflow} (only `jaxgan data prepare` needs it)",
        "platform": platform.platform(),
        "processor": _told(lambda: f"{processor()}, {os.cpu_count()} cores"),
        "memory": _told(lambda: f"{memory_gib()} GiB"),
        "backend": "none" if without else _told(jax.default_backend),
        "devices": "none" if without else _told(_devices),
        "CPU fast convolutions": "none" if without else _told(_fast_convolutions),
        "cache": _told(lambda: _folder(cache_dir())),
        "compilation cache": str(jax.config.values.get("jax_compilation_cache_dir") or "off"),
        "TFDS data": _told(lambda: _folder(data_dir())),
    }
    for device in [] if without else jax.local_devices():
        with contextlib.suppress(Exception):
            stats = device.memory_stats()
            if stats and "bytes_limit" in stats:
                rows[f"memory of {device}"] = f"{stats['bytes_limit'] / 2**30:.1f} GiB"
    return rows


def _told(tell: Callable[[], str]) -> str:
    """What `tell` says, or why it cannot."""
    try:
        return tell()
    except Exception as error:  # whatever is wrong, the other rows are told
        return f"cannot be told ({(str(error).strip().splitlines() or [type(error).__name__])[0]})"


def _devices() -> str:
    return ", ".join(f"{device} ({device.device_kind})" for device in jax.local_devices())


def _fast_convolutions() -> str:
    on = "on" if strided.enabled() else "off"
    return on + ("" if jax.default_backend() == "cpu" else " (not a CPU: XLA's own are used)")


def _folder(path: pathlib.Path) -> str:
    shown = printable(path)
    if not os.path.exists(path):
        parent = next((p for p in path.absolute().parents if os.path.exists(p)), pathlib.Path("/"))
        can = parent.is_dir() and os.access(parent, os.W_OK)
        return f"{shown} (not there yet; {'can' if can else 'cannot'} be made)"
    if not path.is_dir():
        return f"{shown} (no folder)"
    size = 0
    for root, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):  # gone since, or a link to nothing
                size += os.stat(os.path.join(root, name)).st_size
    writable = "" if os.access(path, os.W_OK) else ", read-only"
    return f"{shown} ({size / 2**20:.0f} MiB{writable})"
