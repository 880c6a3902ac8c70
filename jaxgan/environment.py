"""The machine and the process: versions, devices, folders, and settings made once at the start."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import pathlib
import platform
import sys
import time
from typing import Any

import jax

import jaxgan
from jaxgan.data import cache_dir
from jaxgan.data.catalogue import data_dir
from jaxgan.errors import InputError
from jaxgan.models import fastconv

PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "chex",
    "tensorflow-datasets",
    "grain",
    "numpy",
    "scipy",
)


def start() -> None:
    """Turns the persistent compilation cache on, in the per-user cache (unless JAX_COMPILATION_CACHE_DIR is set)."""
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    folder = cache_dir() / "xla"
    with contextlib.suppress(OSError):  # no cache where nothing can be written
        folder.mkdir(parents=True, exist_ok=True)
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def choose_devices(n: int | None) -> list[Any]:
    """The first `n` local devices, or all. Raises InputError if there are fewer."""
    devices = jax.local_devices()
    if n is not None and n > len(devices):
        raise InputError(f"compute.devices: expected at most {len(devices)} local devices, got {n}")
    return devices[:n]


def version_of(package: str) -> str:
    """Installed version, or "missing"."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def environment() -> dict[str, Any]:
    """What a result must be read with: versions, hardware, settings."""
    devices = jax.local_devices()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "jaxgan": jaxgan.__version__,
        "python": platform.python_version(),
        "packages": {name: version_of(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "backend": jax.default_backend(),
        "devices": [str(getattr(device, "device_kind", device)) for device in devices],
        "fast_conv": fastconv.enabled(),
    }


def doctor() -> dict[str, str]:
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


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return None
