"""What the commands put right around the process."""

import os

import pytest

from jaxgan.runs.environment import put_right, settings_kept


@pytest.mark.parametrize(
    ("given", "flag", "cores", "threads"),
    [(None, 1, 2, 64), ("7", 1, 2, 7), (None, 100, 2, 200), (None, 1, 96, 96)],
)
def test_devices_that_are_threads_get_enough_of_them(given, flag, cores, threads, monkeypatch):
    """The tests have four devices on one CPU. What was set by hand stays, and no core goes idle."""
    monkeypatch.delenv("PJRT_NPROC")
    if given is not None:
        monkeypatch.setenv("PJRT_NPROC", given)
    monkeypatch.setenv("XLA_FLAGS", f"--xla_force_host_platform_device_count={flag}")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    with settings_kept():
        put_right()
    assert int(os.environ["PJRT_NPROC"]) == threads
