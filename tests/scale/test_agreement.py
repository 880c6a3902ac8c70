"""What processes agree on before they begin, with others that are made up; and who of a machine decodes."""

import json
import threading
import time

import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.common import processes
from jaxgan.data import cache as decoded


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"steps": 3, "data": {"n": 7, "hash": "a"}},
            "steps: expected the same in all 2 processes, got 2 in process 0",
        ),
        (
            {"steps": 2, "data": {"n": 7, "hash": "b"}},
            "data.hash: expected .* got a in process 0 and b in process 1",
        ),
        ({"steps": 2, "data": {"n": 7}}, "data.hash: expected .* got a in process 0 and None in process 1"),
    ],
)
def test_other_settings_elsewhere_are_named(monkeypatch, other, said):
    monkeypatch.setattr(processes, "gathered", lambda text: [text, json.dumps(other)])
    monkeypatch.setattr(processes, "count", lambda: 2)
    with pytest.raises(InputError, match=said):
        processes.check_same(steps=2, data={"n": 7, "hash": "a"})


def test_the_same_settings_are_fine(monkeypatch):
    monkeypatch.setattr(processes, "gathered", lambda text: [text, text])
    processes.check_same(steps=2, data={"n": 7, "classes": ("a", "b")})


def test_one_process_is_the_first_of_one():
    assert (processes.count(), processes.index(), processes.first(), processes.several()) == (
        1,
        0,
        True,
        False,
    )
    assert processes.gathered("x") == ["x"]
    assert processes.from_first(lambda: (1, "x")) == (1, "x")
    with pytest.raises(ZeroDivisionError), processes.together():
        _ = 1 / 0
    assert not processes.failed()


def test_images_are_decoded_once_by_those_who_come_together(cache):
    """Threads stand for processes: a lock is of an open file."""
    begun, found = [], []

    def decode(folder):
        begun.append(1)
        time.sleep(0.2)
        images = decoded.new_images(folder / "images.npy", (3, 2, 2, 1))
        return decoded.Decoded(
            images, None, (), skipped=0, hashes=np.zeros(3, np.uint64), places=np.arange(3)
        )

    def one():
        found.append(decoded.cached({"of": "this test"}, decode).images.shape)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(3, 2, 2, 1)] * 3
    assert len(begun) == 1
    assert [path.name for path in (cache / "data").iterdir() if path.name.startswith(".")] == []
