"""A share of the data that is trained on: which examples, what they keep, and what scores compare with."""

import dataclasses

import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.config import DataConfig, get_preset, open_data
from jaxgan.data import Arrays, Images, fingerprint, open_source, other_split
from jaxgan.data.modality import POINT
from jaxgan.data.splits import with_share
from jaxgan.metrics import make_evaluator


def noise(n, seed=0, side=6):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 1), np.uint8)


def images_of(images, labels=None, names=()):
    labels = None if labels is None else np.asarray(labels, np.int32)
    return Images("npz:x", images, labels, class_names=names, fingerprint=fingerprint(images, labels))


def rows(images):
    return {np.asarray(image).tobytes() for image in images}


def test_a_share_is_chosen_by_content_and_smaller_ones_lie_within_larger():
    images, order = noise(200), np.random.default_rng(1).permutation(200)
    of = lambda share, images=images: rows(with_share(images_of(images), share).images)
    assert [len(of(share)) for share in (0.1, 0.25, 1.0)] == [20, 50, 200]
    assert of(0.1) < of(0.25) < of(1.0)
    assert of(0.1) == of(0.1, images[order])


def test_labels_stay_with_their_images_and_classes_keep_their_numbers():
    labels = np.arange(60) % 3
    part = with_share(images_of(noise(60), labels, ("a", "b", "c")), 0.1)
    assert part.class_names == ("a", "b", "c")
    for image, label in zip(part.images, part.labels, strict=True):
        (i,) = [i for i in range(60) if (noise(60)[i] == image).all()]
        assert label == i % 3


def test_equal_examples_stay_together():
    images = np.concatenate([noise(10)] * 3)
    part = with_share(images_of(images), 0.5)
    assert len(part) == 15
    assert len(rows(part.images)) == 5


def test_what_is_held_out_does_not_depend_on_the_share(tmp_path):
    np.savez(tmp_path / "a.npz", images=noise(100))
    of = lambda share: open_data(
        dataclasses.replace(
            get_preset("dcgan-mnist"), data=DataConfig(f"npz:{tmp_path / 'a.npz'}", share=share)
        )
    )
    whole, part = of(1.0), of(0.2)
    assert (len(whole), len(part)) == (90, 18)
    assert rows(part.images) < rows(whole.images)
    assert rows(other_split(part).images) == rows(other_split(whole).images)
    assert len({whole.fingerprint, part.fingerprint, of(0.1).fingerprint}) == 3
    assert "18 of 90 images are trained on (--data.share)" in part.notes
    assert part.complete.fingerprint == whole.fingerprint
    assert whole.complete is None


def test_data_with_a_second_split_keep_it():
    part = open_source("mnist", share=0.01)
    assert (len(part), other_split(part).name) == (600, "mnist:test")


@pytest.mark.filterwarnings("ignore:.*cannot fill a covariance")
def test_scores_compare_with_all_examples():
    """The same scores as those of a run on all of the data."""
    whole = images_of(noise(400))
    fakes = noise(300, seed=1)
    score = lambda source: make_evaluator(source)(lambda n: fakes[np.arange(n) % 50], 40).scores
    (part, all_of_it), (smaller,) = (
        [score(with_share(whole, share)) for share in (0.2, 1.0)],
        [score(images_of(with_share(whole, 0.2).images))],
    )
    name = "fd_random_cnn"
    assert part[name].value == all_of_it[name].value
    assert part[name].n_real == 40
    assert smaller[name].value != all_of_it[name].value


def test_arrays_of_any_modality_have_shares():
    points = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    part = with_share(Arrays("points", {"x": points}, POINT), 0.2)
    assert len(part) == 10
    assert rows(part.arrays["x"]) < rows(points)


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (0.0, "data.share: expected 0 < share <= 1, got 0"),
        (1.5, "data.share: expected 0 < share <= 1, got 1.5"),
        (0.01, "data.share: expected at least 2 of the 60 images in 'npz:x', got 0.01"),
    ],
)
def test_other_shares_are_refused(share, message):
    with pytest.raises(InputError, match=message):
        with_share(images_of(noise(60)), share)


def test_data_without_end_have_no_share():
    with pytest.raises(
        InputError, match="data.share: expected 1 for 'ring', which is sampled without end, got 0.1"
    ):
        open_source("ring", share=0.1)
    with pytest.raises(InputError, match="data.share: expected 0 < share <= 1, got 0.0"):
        dataclasses.replace(get_preset("toy-ring"), data=DataConfig("ring", share=0.0)).check()
