"""`jaxgan doctor`: versions, devices, memory and folders."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from dataclasses import dataclass

import jax

from jaxgan.cli.arguments import parse, print_rows
from jaxgan.common.versions import version_of
from jaxgan.data import cache_dir
from jaxgan.data.catalogue import data_dir
from jaxgan.runs.environment import environment, start


@dataclass(frozen=True)
class Doctor:
    """Print versions, devices, memory and folders: what to send along with a question."""


def doctor(args: list[str]) -> None:
    """Prints versions, devices, memory and folders."""
    parse(Doctor, args, "doctor")
    start()
    print_rows(described())


def described() -> dict[str, str]:
    """The environment and the folders in use, for people: name -> text."""
    env = environment()
    rows = {
        "jaxgan": env["jaxgan"],
        "python": f"{env['python']} ({sys.executable})",
        **env["packages"],
        "tensorflow": version_of("tensorflow-cpu").replace("missing", version_of("tensorflow"))
        + " (only `jaxgan data prepare` needs it)",
        "platform": env["platform"],
        "processor": f"{env['processor']}, {env['cores']} cores",
        "memory": f"{env['memory_gib']} GiB",
        "backend": env["backend"],
        "devices": ", ".join(f"{jax.local_devices()[i]} ({kind})" for i, kind in enumerate(env["devices"])),
        "CPU fast convolutions": ("on" if env["fast_conv"] else "off")
        + ("" if env["backend"] == "cpu" else " (not a CPU: XLA's own are used)"),
        "cache": _folder(cache_dir()),
        "compilation cache": str(jax.config.values.get("jax_compilation_cache_dir") or "off"),
        "TFDS data": _folder(data_dir()),
    }
    for device in jax.local_devices():
        with contextlib.suppress(Exception):
            stats = device.memory_stats()
            if stats and "bytes_limit" in stats:
                rows[f"memory of {device}"] = f"{stats['bytes_limit'] / 2**30:.1f} GiB"
    return rows


def _folder(path: pathlib.Path) -> str:
    if not path.exists():
        parent = next(p for p in path.parents if p.exists())
        return f"{path} (not there yet; {'can' if os.access(parent, os.W_OK) else 'cannot'} be made)"
    size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    writable = "" if os.access(path, os.W_OK) else ", read-only"
    return f"{path} ({size / 2**20:.0f} MiB{writable})"
