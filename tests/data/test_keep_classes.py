"""Some classes of labelled data, and no others."""

import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.data import Images, open_source, other_split
from jaxgan.data.splits import with_kept_classes

NAMES = ("cat", "dog", "owl", "10")


def some(n=40, **more):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (n, 4, 4, 1)).astype(np.uint8)
    return Images(
        "some", images, (np.arange(n) % 4).astype(np.int32), class_names=NAMES, fingerprint="print", **more
    )


def test_classes_that_are_kept_are_numbered_anew_and_so_is_what_is_held_out():
    whole = some(held_out=some(8))
    kept = with_kept_classes(whole, "owl,cat")
    assert kept.class_names == ("cat", "owl")
    rows = np.flatnonzero(np.isin(whole.labels, [0, 2]))
    np.testing.assert_array_equal(kept.images, whole.images[rows])
    np.testing.assert_array_equal(kept.labels, np.arange(20) % 2)
    assert (kept.held_out.class_names, len(kept.held_out)) == (("cat", "owl"), 4)
    assert "20 of 40 images are used, of 2 of 4 classes" in kept.notes[-1]


def test_other_classes_are_other_data():
    prints = {with_kept_classes(some(), classes).fingerprint for classes in ("0-1", "0,2", "cat", "0-3")}
    assert len(prints) == 4
    assert with_kept_classes(some(), "dog").fingerprint == with_kept_classes(some(), "1").fingerprint


def test_digits_without_one_have_reals_without_it():
    kept = open_source("mnist", "test", keep_classes="0-8")
    assert kept.class_names == tuple("012345678")
    assert len(kept) == 10_000 - 1009
    other = other_split(kept)
    assert other is not None
    assert (other.class_names, len(other)) == (kept.class_names, 60_000 - 5949)


@pytest.mark.parametrize(
    ("source", "classes", "says"),
    [
        (some(), "cow", "data.keep_classes: unknown class 'cow'"),
        (some(), "0-9", "data.keep_classes: expected integers from 0 to 3, got 4"),
        (
            Images("bare", some().images, None, class_names=(), fingerprint="p"),
            "0",
            "data.keep_classes: expected data with classes, got 'bare', which has none",
        ),
    ],
)
def test_classes_that_cannot_be_kept(source, classes, says):
    with pytest.raises(InputError, match=says):
        with_kept_classes(source, classes)
