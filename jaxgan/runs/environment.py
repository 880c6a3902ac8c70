"""The machine and the process: versions and devices, and what every command sets at its start."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import jax

from jaxgan.common import processes
from jaxgan.common.errors import InputError
from jaxgan.common.files import printable
from jaxgan.common.packages import version_of
from jaxgan.data.cache import cache_dir, home_dir, temporary_dir, why_unwritable

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


_GUARDS = [
    f"jax_transfer_guard{of}" for of in ("", "_host_to_device", "_device_to_device", "_device_to_host")
]
# What of JAX's own settings the commands need; the others are debugging aids, another precision, or give other random
# numbers than those that results are told with.
_SETTINGS = {
    "jax_disable_jit": False,
    "jax_enable_x64": False,
    "jax_numpy_rank_promotion": "allow",
    "jax_numpy_dtype_promotion": "standard",
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_high_dynamic_range_gumbel": False,
    **dict.fromkeys(_GUARDS, "allow"),
}
_HARMLESS = {None, "log", "log_explicit"}  # of the guards


def start() -> None:
    """Puts right what is wrong around the process, says so, and keeps compiled programs in the per-user cache.

    Raises:
      InputError: if JAX finds no device to compute on.
    """
    for text in put_right():
        print(f"note: {text}", file=sys.stderr)
    if why := no_devices():
        raise InputError(why)
    for text in other_devices():
        print(f"note: {text}", file=sys.stderr)


@contextlib.contextmanager
def settings_kept() -> Iterator[None]:
    """Inside, `start` may change settings of JAX; at the end they are as before, for what else the process computes."""
    values = jax.config.values
    before = {name: values[name] for name in (*_SETTINGS, "jax_default_device") if name in values}
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


def put_right() -> list[str]:
    """Sets what the commands need; returns, in words, what was set otherwise and what cannot be had."""
    found = []
    _give_threads()
    for name, wanted in _SETTINGS.items():
        given = jax.config.values.get(name, wanted)
        if given != wanted and not (name in _GUARDS and given in _HARMLESS):
            found.append(
                f"{name.upper()} is {given}: the commands of jaxgan do without it, and set it to {wanted}"
            )
            jax.config.update(name, wanted)
    folder, lost = cache_dir(), ""
    if home_dir() is None and folder == temporary_dir():
        found.append(
            "there is no home folder: nothing is cached from run to run; JAXGAN_CACHE may name a folder"
        )
        lost = "no home"
    elif lost := why_unwritable(folder):
        found.append(
            f"the cache {printable(folder)!r} cannot be written ({lost}): nothing is kept from run to run; "
            "JAXGAN_CACHE may name another folder"
        )
    if lost:
        os.environ.setdefault("MPLCONFIGDIR", str(temporary_dir() / "matplotlib"))
    explicit = os.environ.get("JAX_COMPILATION_CACHE_DIR", "")
    if "://" in explicit:
        return found
    programs = pathlib.Path(explicit) if explicit else folder / "xla"
    if lost and not explicit:
        return found
    if why := why_unwritable(programs):
        jax.config.update("jax_compilation_cache_dir", None)
        found.append(
            f"compiled programs cannot be kept in {printable(programs)!r} ({why}): every run compiles anew"
        )
    elif not explicit:
        jax.config.update("jax_compilation_cache_dir", str(programs))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    return found


def _give_threads() -> None:
    """Lets XLA have threads enough where the CPU stands for several devices; without effect once JAX has begun.

    A program of n devices holds n threads while these wait for each other. With no more threads than devices, two
    programs that are under way wait for each other's threads for ever.
    """
    flags = re.findall(r"xla_force_host_platform_device_count=(\d+)", os.environ.get("XLA_FLAGS", ""))
    devices = max(jax.config.values["jax_num_cpu_devices"], *map(int, flags), 1)
    if devices > 1:
        os.environ.setdefault("PJRT_NPROC", str(max(64, 2 * devices, os.cpu_count() or 1)))


def why_xla_ends() -> str:
    """Why XLA would end the process, as it does for flags that it does not know; "" if it does not.

    Another process tries it, where there are flags at all.
    """
    if not os.environ.get("XLA_FLAGS"):
        return ""
    code = "import jax\ntry: jax.local_devices()\nexcept Exception: pass"
    tried = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return ""
    said = (tried.stderr.strip().splitlines() or ["no reason is given"])[0].rpartition("] ")[2]
    return f"XLA_FLAGS: expected flags that XLA knows, got {os.environ['XLA_FLAGS']!r} ({said})"


def no_devices() -> str:
    """Why JAX has no device to compute on; "" if it has one."""
    if (number := jax.config.values["jax_num_cpu_devices"]) == 0:  # of which JAX says something else
        return f"JAX_NUM_CPU_DEVICES: expected 1 or more, got {number}"
    try:
        jax.local_devices()
    except Exception as error:  # JAX raises several types, an AssertionError among them
        wanted = jax.config.values["jax_platforms"]
        lines = str(error).strip().splitlines() or ["JAX finds no device of theirs"]
        reason = lines[0].partition(" (set JAX_PLATFORMS")[0]
        if not wanted:
            return f"devices: expected one that JAX can use, got none ({reason})"
        return f"JAX_PLATFORMS: expected platforms that are here, got {wanted!r} ({reason}); unset it, or set it to cpu"
    return ""


def other_devices() -> list[str]:
    """Says in words which devices JAX is told to use and are not here; computing goes on with those that are.

    There must be one: see `no_devices`.
    """
    found, here = [], jax.default_backend()
    lost = [name for name in (jax.config.values["jax_platforms"] or "").split(",") if not _is_here(name)]
    if lost:
        given = jax.config.values["jax_platforms"]
        found.append(f"JAX_PLATFORMS is {given}, and there is no {' or '.join(lost)}: {here} computes")
    device = jax.config.values["jax_default_device"]
    if isinstance(device, str) and not _is_here(device):
        found.append(f"JAX_DEFAULT_DEVICE is {device}, and there is none: {here} computes")
        jax.config.update("jax_default_device", None)
    return found


def _is_here(platform: str) -> bool:
    """Whether JAX has a device of a platform; so it is of an empty name, which stands for any."""
    try:
        return not platform.strip() or bool(jax.local_devices(backend=platform.strip()))
    except RuntimeError:
        return False


def environment(matmul_precision: str = "default") -> dict[str, Any]:
    """The versions, hardware and settings that a result depends on, as run.json keeps them.

    Args:
      matmul_precision: that was asked for; "default" stands for JAX's own setting, if there is one.
    """
    from jaxgan.models.layers.fast import strided

    if matmul_precision == "default":
        matmul_precision = jax.config.jax_default_matmul_precision or "default"  # pyright: ignore
    devices = jax.devices()  # of all processes
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "jaxgan": version_of("jaxgan"),
        "python": platform.python_version(),
        "packages": {name: version_of(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": memory_gib(),
        "backend": jax.default_backend(),
        **({"processes": processes.count()} if processes.several() else {}),
        "devices": [str(getattr(device, "device_kind", device)) for device in devices],
        "fast_conv": strided.enabled(),
        "matmul_precision": str(matmul_precision),
    }


def processor() -> str:
    """The name of the processor."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def memory_gib() -> float | None:
    """The memory of the machine in GiB; None if it is not known."""
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return None
