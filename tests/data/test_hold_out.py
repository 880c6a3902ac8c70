"""What is held out of data without a second split: which examples, what they keep, and who sees them."""

import dataclasses

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgan import InputError
from jaxgan.config import DataConfig, get_preset, open_data
from jaxgan.data import Arrays, Images, fingerprint, make_pipeline, open_source, other_split
from jaxgan.data.modality import POINT
from jaxgan.data.rows import Rows
from jaxgan.data.splits import MOST_HELD_OUT, held_out_rows, with_hold_out, with_share


def noise(n, seed=0, side=6):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 1), np.uint8)


def images_of(images, labels=None, names=()):
    labels = None if labels is None else np.asarray(labels, np.int32)
    return Images("npz:x", images, labels, class_names=names, fingerprint=fingerprint(images, labels))


def rows(images):
    return {np.asarray(image).tobytes() for image in images}


def test_a_tenth_is_held_out_and_the_rest_trained_on(tmp_path):
    images = noise(60)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(60) % 3)
    source = open_data(
        dataclasses.replace(get_preset("dcgan-mnist"), data=DataConfig(f"npz:{tmp_path / 'a.npz'}"))
    )
    held_out = other_split(source)
    assert (len(source), len(held_out)) == (54, 6)
    assert not rows(source.images) & rows(held_out.images)
    assert rows(source.images) | rows(held_out.images) == rows(images)
    assert (
        "6 of 60 images are held out of training, to compare with (--data.hold-out 0: none)" in source.notes
    )
    whole = open_source(f"npz:{tmp_path / 'a.npz'}")
    assert len({whole.fingerprint, source.fingerprint, held_out.fingerprint}) == 3
    assert source.whole == held_out.whole == whole.fingerprint
    for part in (source, held_out):  # labels stay with their images
        for image, label in zip(part.images, part.labels, strict=True):
            (i,) = [i for i in range(60) if (images[i] == image).all()]
            assert label == i % 3
    assert other_split(with_hold_out(whole, 0)) is None
    with pytest.raises(InputError, match="data.hold_out: expected 0 <= hold_out < 1, got 1"):
        with_hold_out(whole, 1.0)


def test_the_choice_depends_on_content_alone():
    images = noise(200)
    chosen = rows(images[held_out_rows(images, 0.1)])
    order = np.random.default_rng(1).permutation(200)
    assert rows(images[order][held_out_rows(images[order], 0.1)]) == chosen
    fewer = images[10:]
    assert len(rows(fewer[held_out_rows(fewer, 0.1)]) & chosen) > 0.7 * len(chosen - rows(images[:10]))
    assert len(held_out_rows(np.arange(300_000, dtype=np.uint32)[:, None], 0.1)) == MOST_HELD_OUT


def test_equal_images_stay_together():
    images = noise(40)[np.arange(120) % 40]
    held = held_out_rows(images, 0.1)
    assert len(held) == 12
    assert not rows(images[held]) & rows(np.delete(images, held, 0))
    assert len(held_out_rows(np.zeros((50, 2, 2, 1), np.uint8), 0.1)) == 0


def test_no_class_is_held_out_whole():
    images, labels = noise(40), np.zeros(40, np.int32)
    labels[held_out_rows(images, 0.1)] = 1  # all that would be held out
    source = with_hold_out(images_of(images, labels, ("a", "b")), 0.1)
    assert (source.held_out, len(source)) == (None, 40)
    assert "nothing is held out of training" in source.notes[-1]
    few = with_hold_out(images_of(images[:3], labels[:3], ("a",)), 0.1)  # a tenth of 3 is none
    assert few.notes == (
        "nothing is held out of training, so scores compare with training images: 3 images are too few for a share of "
        "0.1 (--data.hold-out)",
    )
    assert with_hold_out(images_of(images[:3], labels[:3], ("a",)), 0).notes == ()
    labels[:20] = 1
    source = with_hold_out(images_of(images, labels, ("a", "b")), 0.1)
    assert len(source.held_out) == 4
    assert source.class_names == source.held_out.class_names == ("a", "b")


def test_data_with_a_test_split_or_without_end_hold_nothing_out():
    mnist = open_source("mnist", hold_out=0.1)
    assert (len(mnist), mnist.held_out, other_split(mnist).name) == (60_000, None, "mnist:test")
    assert open_source("ring", hold_out=0.1).held_out is None


def test_all_of_a_dataset_has_no_other_split():
    images = np.zeros((4, 8, 8, 1), np.uint8)
    assert other_split(Images("tfds:mnist:all", images, None, class_names=(), fingerprint="f")) is None


def test_arrays_of_any_modality_hold_out():
    points = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    source = with_hold_out(Arrays("points", {"x": points, "label": np.arange(50) % 2 * 7}, POINT), 0.1)
    held_out = other_split(source)
    assert (len(source), len(held_out), source.class_names, held_out.class_names) == (
        45,
        5,
        ("0", "7"),
        ("0", "7"),
    )
    assert source.spec.arrays == held_out.spec.arrays


def test_a_memory_map_is_split_and_not_read(tmp_path, cache):
    for i, image in enumerate(noise(40)):
        Image.fromarray(image[:, :, 0]).save(tmp_path / f"{i:02}.png")
    source = open_source(f"folder:{tmp_path}", hold_out=0.25)
    assert isinstance(source.images, Rows)
    assert (source.images.shape, source.shape, len(source.held_out)) == ((30, 6, 6, 1), (6, 6, 1), 10)
    whole = np.asarray(source.images)
    np.testing.assert_array_equal(source.images[3:7], whole[3:7])
    np.testing.assert_array_equal(source.images[np.asarray([5, 2])], whole[[5, 2]])
    np.testing.assert_array_equal(list(source.images), whole)
    assert fingerprint(source.images) == fingerprint(whole)
    seen = []
    for kind in ("stream", "resident"):
        pipeline = make_pipeline(source, batch_size=30, pipeline=kind)
        batch = jax.jit(pipeline.prepare)(next(pipeline.inputs(0)), jax.numpy.int32(0))
        seen.append(np.asarray(batch["image"]))
    np.testing.assert_array_equal(*seen)


def test_a_row_of_reals_for_every_class():
    """Also for one of which there are few: rows of reals.png are those of the grids."""
    labels = np.asarray([0] * 10 + [1] * 2 + [2] * 10)
    source = images_of(
        np.uint8(labels)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8), labels, tuple("abc")
    )
    reals = source.of_each_class(8, 0)["image"]
    assert reals[:, 0, 0, 0].tolist() == [0] * 8 + [1] * 8 + [2] * 8


def test_a_batch_larger_than_what_is_left_says_why():
    source = with_hold_out(images_of(noise(64)), 0.1)
    with pytest.raises(InputError, match=r"at most the 58 examples of 'npz:x', got 64 \(6 more are held out"):
        make_pipeline(source, batch_size=64)
    with pytest.raises(InputError, match=r"got 64 \(44 more are left out: data.share; 6 more are held out"):
        make_pipeline(with_share(source, 0.25), batch_size=64)


def test_held_out_labels_of_npz_files(tmp_path):
    """Of classes that are not trained on they are told of; without images, or without labels to go with, too."""
    path, part = tmp_path / "x.npz", {"images": noise(4), "held_out_images": noise(3, 1)}
    open_it = lambda **labels: (np.savez(path, **part, **labels), open_source(str(path)))[1]
    source = open_it(labels=["b", "c", "c", "b"], held_out_labels=["a", "c", "a"])
    assert (source.held_out.labels.tolist(), source.held_out.class_names) == ([1], ("b", "c"))
    assert source.notes == ("left out of what is held out, of classes that are not trained on: 2 images",)
    assert not open_it(labels=["b", "c", "c", "b"], held_out_labels=["b", "c", "c"]).notes
    source = open_it(labels=["b"] * 4, held_out_labels=["a"] * 3)
    assert source.held_out is None
    assert source.notes[0].endswith("3 images")
    assert open_it(held_out_labels=["a"] * 3).notes == (
        "'held_out_labels' are not used, as there are no 'labels'",
    )
    del part["held_out_images"]
    with pytest.raises(
        InputError, match="expected an array 'held_out_images' beside 'held_out_labels' in .*x.npz"
    ):
        open_it(held_out_labels=["a"] * 3)


OWN = """
import numpy as np
from jaxgan.data import POINT, Arrays, Images

def images(n=6, labels=(0, 1), held_out=None):
    labels = np.resize(labels, n).astype(np.int32)
    told = {"class_names": tuple("abcd"), "fingerprint": "f", "held_out": held_out}
    return Images("own", np.zeros((n, 4, 4, 1), np.uint8), labels, **told)

def split():
    return images(labels=(0, 1, 2, 3), held_out=images(3, (0, 1)))

def fewer():
    told = {"class_names": ("a", "y", "z"), "fingerprint": "g"}
    other = Images("other", np.zeros((3, 4, 4, 1), np.uint8), np.arange(3, dtype=np.int32), **told)
    return images(labels=(0, 1, 2, 3), held_out=other)

def points():
    return Arrays("own", {"x": np.zeros((6, 2), np.float32), "label": [0, 2] * 3}, POINT, class_names=tuple("abc"))
"""


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("images", ("classes without examples: 'c', 'd'",)),
        ("split", ()),
        ("fewer", ("left out of what is held out, of classes that are not trained on: 2 images",)),
        ("points", ("classes without examples: 'b'",)),
    ],
)
def test_classes_of_ones_own_source_are_told_of(name, notes, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    assert open_source(f"{tmp_path}/own.py:{name}").notes == notes
