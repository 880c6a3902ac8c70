"""Machines that a program can be compiled for without having them: published numbers of their chips, and devices.

The TPU's compiler is in the package `libtpu`, the GPU's in `jax-cuda13-plugin`; neither needs the hardware.
"""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax

from jaxgan.common.errors import InputError, unknown
from jaxgan.common.packages import need

GB, GIB, TERA = 1e9, 2**30, 1e12


@dataclass(frozen=True)
class Chip:
    """One chip, by what its maker publishes.

    Attributes:
      name: as in the name of a machine.
      platform: "tpu" or "cuda".
      flops: type of the operands of products -> operations a second. Products of float32 are those of JAX's default
        precision, which rounds operands to bfloat16 on a TPU and to TF32 on a GPU; "tensorfloat32" are at least as good
        (on a TPU three products of bfloat16 for each), "highest" those of float32 itself (on a TPU six).
      memory: bytes.
      memory_rate: bytes a second to and from memory.
      link_rate: bytes a second that it sends to the others, over all its links.
      source: where the numbers are from.
    """

    name: str
    platform: str
    flops: Mapping[str, float]
    memory: float
    memory_rate: float
    link_rate: float
    source: str


def _tpu(name: str, tflops: float, memory: float, memory_rate: float, link_rate: float, source: str) -> Chip:
    fast = tflops * TERA
    peak = {"bfloat16": fast, "float32": fast, "tensorfloat32": fast / 3, "highest": fast / 6}
    return Chip(name, "tpu", peak, memory * GIB, memory_rate * GB, link_rate * GB, source)


_H100 = {
    "bfloat16": 989.4 * TERA,
    "float32": 494.7 * TERA,
    "tensorfloat32": 494.7 * TERA,
    "highest": 66.9 * TERA,
}
CHIPS: dict[str, Chip] = {
    "v4": _tpu("v4", 275, 32, 1200, 300, "cloud.google.com/tpu/docs/v4; links: Jouppi et al. (2023), TPU v4"),
    "v5e": _tpu("v5e", 197, 16, 819, 200, "cloud.google.com/tpu/docs/v5e (links: half of 400 GB/s both ways)"),
    "v5p": _tpu("v5p", 459, 95, 2765, 600, "cloud.google.com/tpu/docs/v5p (links: half of 1,200 GB/s both ways)"),
    "v6e": _tpu("v6e", 918, 32, 1640, 400, "cloud.google.com/tpu/docs/v6e (links: half of 800 GB/s both ways)"),
    "h100": Chip(
        "h100", "cuda", _H100, 80 * GB, 3350 * GB, 450 * GB,
        "NVIDIA H100 SXM data sheet, without sparsity (links: half of NVLink's 900 GB/s both ways)",
    ),
}  # fmt: skip
"""Chips by name."""

_PACKAGES = {
    "tpu": (["libtpu"], "pip install libtpu"),
    "cuda": (["jax_cuda13_plugin", "jax_plugins.xla_cuda13"], "pip install 'jax[cuda13-local]=={jax}'"),
}
# The TPU's library would ask around for the TPU that it is on, and complain: this is what it would learn of one.
_NO_TPU = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # which one TPU would not bear
}
_EXAMPLES = "v5e:16x16, v6e:4x4, v5p:4x4x4 or h100:8"


@dataclass(frozen=True)
class Machine:
    """Many chips of one kind.

    Attributes:
      name: as it was asked for, such as "v5e:2x2".
      chip: of which it is made.
      shape: how many chips along each axis.
    """

    name: str
    chip: Chip
    shape: tuple[int, ...]

    @property
    def chips(self) -> int:
        """How many chips the machine has."""
        return math.prod(self.shape)

    @property
    def hosts(self) -> int:
        """How many hosts the machine has, between which the links are of another kind; 1 for TPUs."""
        return max(1, self.chips // 8) if self.chip.platform == "cuda" else 1

    @functools.cached_property
    def devices(self) -> list[Any]:
        """What JAX sees of it: one device a chip, or (v4) one for each of two cores. Nothing can run on them.

        Raises:
          InputError: if the compiler is not installed, or knows no such machine.
        """
        platform = self.chip.platform
        modules, command = _PACKAGES[platform]
        need(modules, f"topology: {self.name!r}", command.format(jax=jax.__version__))
        from jax.experimental import topologies

        try:
            if platform == "tpu":
                jax.local_devices()  # whose flags are read now: the TPU's library ends the process at those of a CPU
                os.environ.pop("XLA_FLAGS", None)
                for key, value in _NO_TPU.items():
                    os.environ.setdefault(key, value)
                found = topologies.get_topology_desc(platform="tpu", topology_name=self.name)
            else:
                each = min(self.chips, 8)
                found = topologies.get_topology_desc(
                    platform="cuda", topology=f"1x{self.hosts}x{each}", target_config=_H100_FOR_XLA
                )
        except Exception as error:  # of several types, by what is wrong
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(f"topology: the compiler does not take {self.name!r} ({said})") from error
        return list(found.devices)


def machine(name: str) -> Machine:
    """The machine of a name such as "v5e:16x16" or "h100:8".

    Raises:
      InputError: for a chip that is not known, or a shape that is none.
    """
    kind, _, form = name.lower().partition(":")
    if kind not in CHIPS:
        raise unknown("topology", kind, [f"{chip}:..." for chip in CHIPS])
    chip, axes = CHIPS[kind], {"h100": "1", "v4": "3", "v5p": "3"}.get(kind, "2")
    if not re.fullmatch(rf"[1-9]\d*(x[1-9]\d*){{{int(axes) - 1}}}", form):
        wanted = {"1": "a number", "2": "AxB", "3": "AxBxC"}[axes]
        raise InputError(f"topology: expected {kind}:{wanted}, such as {_EXAMPLES}, got {name!r}")
    shape = tuple(map(int, form.split("x")))
    if kind == "h100" and shape[0] > 8 and shape[0] % 8:
        raise InputError(
            f"topology: expected at most 8 or a multiple of 8 GPUs (of a host each), got {name!r}"
        )
    return Machine(f"{kind}:{form}", chip, shape)


# What XLA asks of a GPU that is not there: limits and rates of the H100 SXM, as CUDA tells them of one.
_H100_FOR_XLA = """
gpu_device_info {
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: 233472
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  device_memory_size: 84942979072
  shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 patch: 0 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""
