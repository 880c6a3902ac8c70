"""Four CPU devices, and folders of our own: no test reads or writes a user's cache or data."""

import os
import shutil
import tempfile

# One folder for all workers: what one of them has compiled, the others and their processes reuse.
_FIRST = "JAXGAN_TESTS_SCRATCH" not in os.environ
_SCRATCH = os.environ.setdefault("JAXGAN_TESTS_SCRATCH", tempfile.mkdtemp(prefix="jaxgan-tests-"))
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.path.join(_SCRATCH, "xla")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
# Nearly all time of a test is compilation; the code that LLVM does not optimise computes the same.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()
os.environ["JAXGAN_CACHE"] = os.path.join(_SCRATCH, "cache")
os.environ["TFDS_DATA_DIR"] = os.path.join(_SCRATCH, "tensorflow_datasets")
os.environ.setdefault("MPLCONFIGDIR", os.path.join(_SCRATCH, "matplotlib"))
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_num_cpu_devices", 4)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pytest_sessionfinish(session, exitstatus):
    if _FIRST:
        shutil.rmtree(_SCRATCH, ignore_errors=True)
