"""What is said while the first step is compiled."""

import os
import subprocess
import sys
import types

import pytest
from helpers import small

from jaxgan.config import with_fields
from jaxgan.train.compiling import compiling, in_words, usual_seconds
from jaxgan.train.members import Members, set_up
from jaxgan.train.run import train
from jaxgan.train.sinks.progress import Progress


def test_times_are_those_that_were_measured():
    assert usual_seconds("mlp", 0) == usual_seconds("mlp", 28)
    assert usual_seconds("dcgan", 64) > usual_seconds("dcgan", 32) > usual_seconds("dcgan", 28)
    assert usual_seconds("dcgan", 20) == usual_seconds("dcgan", 28)
    assert usual_seconds("dcgan", 28, d_steps=5) == 2 * usual_seconds("dcgan", 28)
    assert usual_seconds("dcgan", 512) is usual_seconds("nothing", 28) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "some seconds"), (30, "half a minute"), (48, "1 minute"), (100, "2 minutes"), (200, "3 minutes")],
)
def test_times_in_words(seconds, words):
    assert in_words(seconds) == words


def test_a_run_says_how_long_compiling_takes(tmp_path, capsys):
    said = compiling(set_up(small(tmp_path)))
    assert said == "compiling, usually some seconds"
    progress = Progress(10, tmp_path, said)
    progress.start(0)
    progress.close("finished")
    assert "compiling, usually some seconds, then training" in capsys.readouterr().out


def test_images_a_second_are_those_of_programs_that_are_compiled(tmp_path, monkeypatch):
    now, advance = [0.0], Members.advance

    def late(self, states, inputs, step=None):
        now[0] += 1 if step else 100
        return advance(self, states, inputs, step)

    monkeypatch.setattr(Members, "advance", late)
    monkeypatch.setattr("jaxgan.train.clock.time", types.SimpleNamespace(monotonic=lambda: now[0]))
    config = with_fields(small(tmp_path), **{"compute.steps_per_dispatch": 5, "log_every": 20})
    rates = [record["images_per_second"] for record in train(config).records()]
    assert {*rates} == {5 * config.batch_size}
    # and of the compiled one where there is no other
    rates = [record["images_per_second"] for record in train(with_fields(config, log_every=5)).records()]
    assert (rates[0], {*rates[1:]}) == (5 * config.batch_size / 100, {5 * config.batch_size})


def test_xla_does_not_speak_of_slow_compilations():
    """It writes such blocks as errors of its own log, which is read when jax starts."""
    code = "import os, jaxgan.__main__ as m; m.main(['--version']); print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    for given, level in ((None, "3"), ("0", "0")):
        env = kept if given is None else kept | {"TF_CPP_MIN_LOG_LEVEL": given}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.split()[-1] == level
