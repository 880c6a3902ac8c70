"""Four CPU devices, and folders of our own: no test reads or writes a user's cache or data."""

import os
import shutil
import subprocess
import sys
import tempfile

# One folder for all workers: what one of them has compiled, the others and their processes reuse.
_FIRST = "PYTEST_XDIST_WORKER" not in os.environ
_KEPT = "JAXGAN_TESTS_SCRATCH" in os.environ
_SCRATCH = os.environ.get("JAXGAN_TESTS_SCRATCH") or tempfile.mkdtemp(prefix="jaxgan-tests-")
os.environ["JAXGAN_TESTS_SCRATCH"] = _SCRATCH
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.path.join(_SCRATCH, "xla")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


def _quick_compilation() -> str:
    """XLA's flags for programs that take a quarter of the time to compile: most of a test's time is compilation.

    The programs are slower. XLA ends the process at a flag that it does not know, so they are tried in another one.
    """
    flags = ["--xla_backend_optimization_level=0", "--xla_cpu_parallel_codegen_split_count=1"]
    flags += ["--xla_cpu_use_fusion_emitters=false"]
    # devices that wait for each other on a busy machine end the process after 40 s
    flags += [
        f"--xla_cpu_collective_{name}_timeout_seconds=900" for name in ("call_warn_stuck", "call_terminate")
    ]
    if _known(flags):
        return " ".join(flags)
    return " ".join(flag for flag in flags if _known([flag]))


def _known(flags: list[str]) -> bool:
    env = {**os.environ, "XLA_FLAGS": " ".join(flags), "JAX_PLATFORMS": "cpu"}
    code = [sys.executable, "-c", "import jax; jax.devices()"]
    return subprocess.run(code, env=env, capture_output=True, check=False, timeout=300).returncode == 0


if _FIRST:  # workers and their processes inherit it
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_quick_compilation()}".strip()
else:  # each worker has one core
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["JAXGAN_CACHE"] = os.path.join(_SCRATCH, "cache")
os.environ["TFDS_DATA_DIR"] = os.path.join(_SCRATCH, "tensorflow_datasets")
os.environ.setdefault("MPLCONFIGDIR", os.path.join(_SCRATCH, "matplotlib"))
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_num_cpu_devices", 4)

# They train runs, or compile many programs; `pytest -m "not slow"` is the quick part.
_SLOW = {
    *(
        "test_losses.py",
        "test_recipes.py",
        "test_dynamics.py",
        "test_health.py",
        "test_modality.py",
        "test_cli.py",
    ),
    *(
        "test_evaluation.py",
        "test_train.py",
        "test_seeds.py",
        "test_ensemble.py",
        "test_any_game.py",
        "test_fit.py",
    ),
    *(
        "test_runner.py",
        "test_plug_in.py",
        "test_verbs.py",
        "test_sharding.py",
        "test_interrupts.py",
        "test_step.py",
    ),
    *(
        "test_errors.py",
        "test_outputs.py",
        "test_check.py",
        "test_doctor.py",
        "test_stacked.py",
        "test_laws.py",
    ),
}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name in _SLOW:
            item.add_marker("slow")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pytest_sessionfinish(session, exitstatus):
    if _FIRST and not _KEPT:
        shutil.rmtree(_SCRATCH, ignore_errors=True)
