"""What the commands put right around the process."""

import os

from jaxgan.runs.environment import put_right, settings_kept


def test_devices_that_are_threads_get_enough_of_them(monkeypatch):
    """The tests have four devices on one CPU. What was set by hand stays."""
    for given in (None, "7"):
        monkeypatch.delenv("PJRT_NPROC")
        if given is not None:
            monkeypatch.setenv("PJRT_NPROC", given)
        with settings_kept():
            put_right()
        assert int(os.environ["PJRT_NPROC"]) == int(given or 64)
