"""Four CPU devices, and folders of our own: no test reads or writes a user's cache or data."""

import gc
import os
import shutil
import tempfile

from xla_flags import known_flags

# One folder for all workers: what one of them has compiled, the others and their processes reuse.
_FIRST = "PYTEST_XDIST_WORKER" not in os.environ
_KEPT = "JAXGAN_TESTS_SCRATCH" in os.environ
_SCRATCH = os.environ.get("JAXGAN_TESTS_SCRATCH") or tempfile.mkdtemp(prefix="jaxgan-tests-")
os.environ["JAXGAN_TESTS_SCRATCH"] = _SCRATCH
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.path.join(_SCRATCH, "xla")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


if _FIRST:  # workers and their processes inherit it
    _WARNING, flags = "", known_flags()
    if flags is None:
        _WARNING, flags = "warning: JAX failed where XLA's flags are tried: programs compile as usual", []
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *flags]).strip()
else:  # each worker has one core
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["JAXGAN_CACHE"] = os.path.join(_SCRATCH, "cache")
os.environ["TFDS_DATA_DIR"] = os.path.join(_SCRATCH, "tensorflow_datasets")
os.environ.setdefault("MPLCONFIGDIR", os.path.join(_SCRATCH, "matplotlib"))
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # processes that are started would compile the package again
# Programs of several devices hold a thread each while they wait for the others: with no more threads than devices,
# two of them can wait for each other for ever.
os.environ["PJRT_NPROC"] = "32"

import jax  # noqa: E402
import pytest  # noqa: E402
from golden import layers  # noqa: E402

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
        "test_every_preset.py",
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
        "test_two_processes.py",
        "test_stacked.py",
        "test_laws.py",
        "test_damage.py",
    ),
}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name in _SLOW:
            item.add_marker("slow")


def pytest_collection_finish():
    """What is there for good is not looked through again and again: full collections were a twentieth of all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(autouse=True, scope="module")
def _no_programs_of_other_files():
    """Frees what a file has compiled: a worker that keeps all grows to gigabytes, and its collector slows."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="module")
def shared_programs():
    from helpers import shared_programs

    with shared_programs():
        yield


@pytest.fixture(scope="module")
def quick_keys():
    from helpers import quick_keys

    with quick_keys():
        yield


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    layers.READ.clear()
    yield
    item.user_properties += [("reference", name) for name in layers.READ]
    if item.get_closest_marker("counts"):
        item.user_properties.append(("counts", item.nodeid))


def pytest_terminal_summary(terminalreporter):
    if _FIRST and _WARNING:
        terminalreporter.write_line(_WARNING)
    told = [x for report in terminalreporter.getreports("passed") for x in report.user_properties]
    for kind, what in (
        ("counts", "counts of parameters are those that are published"),
        ("reference", "cases of reference code have its values"),
    ):
        if n := len({name for found, name in told if found == kind}):
            terminalreporter.write_line(f"{n} {what}")


def pytest_sessionfinish(session, exitstatus):
    if _FIRST and not _KEPT:
        shutil.rmtree(_SCRATCH, ignore_errors=True)
