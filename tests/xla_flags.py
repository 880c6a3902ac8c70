"""XLA's flags for programs that take a quarter of the time to compile: most of a test's time is compilation."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

FLAGS = (
    "--xla_backend_optimization_level=0",  # the programs are slower
    "--xla_cpu_parallel_codegen_split_count=1",
    "--xla_cpu_use_fusion_emitters=false",
    # devices that wait for each other on a busy machine end the process after 40 s
    "--xla_cpu_collective_call_warn_stuck_timeout_seconds=900",
    "--xla_cpu_collective_call_terminate_timeout_seconds=900",
)


def begins(flags: Sequence[str]) -> bool:
    """Whether JAX begins with these flags: XLA ends the process at one that it does not know, so it is another one."""
    env = {**os.environ, "XLA_FLAGS": " ".join(flags), "JAX_PLATFORMS": "cpu"}
    code = [sys.executable, "-c", "import jax; jax.devices()"]
    try:
        return subprocess.run(code, env=env, capture_output=True, check=False, timeout=300).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def known_flags(begins: Callable[[Sequence[str]], bool] = begins) -> list[str] | None:
    """Those of FLAGS that XLA knows; None if JAX does not begin without any, either."""
    if begins(FLAGS):
        return list(FLAGS)
    return [flag for flag in FLAGS if begins([flag])] if begins([]) else None
