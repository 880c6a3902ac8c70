"""How commands end, and what does not end them."""

import os

import pytest

from jaxgan.cli.status import unheard


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
