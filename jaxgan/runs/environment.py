"""The machine and the process: versions and devices, and what every command sets at its start."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import time
from typing import Any

import jax

from jaxgan.common.versions import version_of
from jaxgan.data import cache_dir
from jaxgan.models.layers import fastconv

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
    """Keeps compiled programs in the per-user cache, unless JAX_COMPILATION_CACHE_DIR says where."""
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    folder = cache_dir() / "xla"
    with contextlib.suppress(OSError):  # no cache where nothing can be written
        folder.mkdir(parents=True, exist_ok=True)
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def environment() -> dict[str, Any]:
    """The versions, hardware and settings that a result depends on, as run.json keeps them."""
    devices = jax.local_devices()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "jaxgan": version_of("jaxgan"),
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
