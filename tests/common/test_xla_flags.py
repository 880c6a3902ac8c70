"""The flags that the tests compile with: those that XLA knows, and none where JAX fails as they are tried."""

import os
import subprocess
import sys

import pytest
import xla_flags
from xla_flags import FLAGS, known_flags


def test_flags_that_xla_does_not_know_are_left_out():
    assert known_flags(lambda flags: True) == list(FLAGS)
    assert known_flags(lambda flags: FLAGS[1] not in flags) == [FLAGS[0], *FLAGS[2:]]
    assert known_flags(lambda flags: not flags) == []
    assert known_flags(lambda flags: False) is None


@pytest.mark.parametrize("error", [OSError("no more processes"), subprocess.TimeoutExpired("python", 300)])
def test_whatever_ends_the_trial_no_flags_are_known(monkeypatch, error):
    def failing(*args, **kwargs):
        raise error

    monkeypatch.setattr(xla_flags.subprocess, "run", failing)
    assert known_flags() is None


def test_the_tests_begin_where_jax_fails_in_the_trial(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif sys.orig_argv[1:2] == ['-c']:\n    sys.modules['jax'] = None\n"
    )
    (tmp_path / "plugin.py").write_text(
        "import os\ndef pytest_unconfigure(config):\n    print('flags:', os.environ['XLA_FLAGS'])\n"
    )
    env = {
        name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "PYTEST_XDIST_WORKER")
    }
    env["PYTHONPATH"] = os.pathsep.join([str(tmp_path), env.get("PYTHONPATH", "")])
    arguments = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "plugin",
        "tests/common/test_progress.py",
        "-k",
        "times_are",
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], env=env, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("warning: JAX failed") == 1
    assert "flags: \n" in ended.stdout
