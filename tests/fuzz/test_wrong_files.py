"""Files made wrong at random are read, or refused in one line: the short form of `experiments/fuzz.py`."""

import random

import pytest
from fuzzing import fuzz, fuzz_kinds

from jaxgan import InputError

FILES = dict.fromkeys(fuzz_kinds.NAMES, 300)
FILES |= dict.fromkeys(
    ("run.json", "config.json", "scores.json", "metrics.jsonl"), 120
)  # pages are drawn of each
FILES |= dict.fromkeys(("evaluations.json", "seeds.json", "summary.json", "images.zip", "images.tar"), 80)
FILES["checkpoint"] = 20  # Orbax takes a tenth of a second


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    root = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXGAN_CACHE", str(root / "cache"))
        yield fuzz_kinds.kinds(root)


@pytest.mark.parametrize("name", FILES)
def test_wrong_files_are_read_or_refused(kinds, name):
    found = fuzz.fuzz(kinds[name], FILES[name], seed=1)
    assert not found.unclean, found.unclean[0]
    assert found.read + found.refused == FILES[name]
    assert (
        found.refused > FILES[name] / 10 or name == "run.lock"
    )  # they are wrong; a lock is known by its age then


def test_every_kind_is_tried(kinds):
    assert kinds.keys() == FILES.keys()


def test_what_is_unclean_is_found(kinds):
    def read(content):
        raise KeyError("x") if b"x" in content else InputError("two\nlines")

    kind = fuzz_kinds.Kind(b"", lambda rng: rng.choice((b"x", b"y")), read)
    assert "KeyError" in fuzz.tried(kind, b"x")
    assert fuzz.tried(kind, b"y") == "more than a line: 'two\\nlines'"
    assert len(fuzz.fuzz(kind, 5, 0).unclean) == 6


def test_the_same_seed_makes_the_same_files(kinds):
    for kind in kinds.values():
        assert kind.wrong(random.Random("1 2")) == kind.wrong(random.Random("1 2"))
