"""How commands end, and what does not end them."""

import os

import jax
import jax.numpy as jnp
import pytest

from jaxgan.cli.status import exit_status, unheard


def test_work_goes_on_when_the_reader_of_its_output_has_gone(monkeypatch):
    """As of `jaxgan train | head -1`: the run is not to fail for that."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        with pytest.raises(BrokenPipeError):
            print("lost", flush=True)
        with unheard():
            for _ in range(3):
                print("unread", flush=True)
        print("nor is this", flush=True)  # by now it goes nowhere


def test_another_fault_of_the_output_is_raised(monkeypatch):
    with open("/dev/full", "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        with unheard(), pytest.raises(OSError, match="No space left"):
            print("lost", flush=True)
        with pytest.raises(OSError, match="No space"):
            stream.close()


def test_memory_that_does_not_suffice_is_one_line(capsys):
    huge = jax.jit(lambda: jnp.ones((2**44,)))  # 64 TiB
    assert exit_status(lambda: huge().block_until_ready() and 0) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: memory: a device was asked for 65,536.0 GiB")
    assert said.count("\n") == 1
    assert "--batch-size" in said
    assert "--compute.microbatches" in said


def test_other_errors_of_programs_keep_their_traceback():
    def fails():
        raise jax.errors.JaxRuntimeError("INTERNAL: broken")

    with pytest.raises(jax.errors.JaxRuntimeError, match="broken"):
        exit_status(fails)
