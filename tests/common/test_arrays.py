"""Arrays given in Python: what is taken, and what each mistake is answered."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.common.arrays import as_labels, as_pixels

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3)).astype(np.uint8)
PIXELS[0, 0, 0] = 0, 0, 255
UNIT = PIXELS.astype(np.float32) / 255


@pytest.mark.parametrize(
    "images",
    [
        PIXELS,
        list(PIXELS),
        PIXELS.astype(np.int64),
        PIXELS.astype(np.float64),
        UNIT,
        UNIT.astype(np.float64),
        UNIT * 2 - 1,
        jnp.asarray(UNIT),
    ],
    ids=["uint8", "list", "int64", "0 to 255", "0 to 1", "float64", "-1 to 1", "jax"],
)
def test_every_range_gives_the_same_pixels(images):
    found = as_pixels(images)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, PIXELS)


def test_grey_images_get_a_channel_and_16_bits_stay():
    assert as_pixels(PIXELS[..., 0]).shape == (5, 6, 7, 1)
    deep = PIXELS.astype(np.uint16) * 257
    np.testing.assert_array_equal(as_pixels(deep), deep)
    assert as_pixels(deep.astype(np.int64)).dtype == np.uint16
    assert as_pixels(jnp.asarray(UNIT, jnp.bfloat16)).dtype == np.uint8


WITH_NAN = UNIT.copy()
WITH_NAN[3, 0, 0, 0] = np.nan
SPOILT = np.tile(UNIT, (4, 1, 1, 1))
SPOILT[0, 0, 0, 0] = -1
MISTAKES = {
    "channels first": (PIXELS.transpose(0, 3, 1, 2), r"\(5, 3, 6, 7\): channels first\? .*transpose\(0, 2, 3, 1\)"),
    "one image": (PIXELS[0], "one image of 3 channels"),
    "one image, channels first": (np.ones((3, 8, 8)), "one image, channels first"),
    "flattened": (PIXELS[..., 0, 0].repeat(6, 1), r"\(5, 36\): flattened\? images.reshape\(-1, 6, 6\)"),
    "too many axes": (PIXELS[None], "got shape"),
    "many channels": (np.zeros((4, 8, 8, 9)), "more than 4 channels"),
    "none": (PIXELS[:0], "which is empty"),
    "only one": (PIXELS[:1], "at least 2, got 1"),
    "NaN": (WITH_NAN, "NaN in 1 of 5 images, the first of them number 3"),
    "infinity": (np.where(np.isnan(WITH_NAN), np.inf, WITH_NAN), "infinity in 1 of 5"),
    "standardised": ((UNIT - 0.5) / 0.25, "standardised by mean and deviation"),
    "beyond 255": (PIXELS.astype(np.int64) + 100, r"int64 from \d+ to \d+: a few beyond 255\? images.clip"),
    "beyond 1": (UNIT * 1.2, r"a little beyond 1\? np.clip"),
    "a tiny negative": (np.where(UNIT.min() == UNIT, -1e-4, UNIT), r"below 0\? np.clip\(images, 0, 1\)"),
    "resampled": (UNIT * 1.02 - 0.01, r"below 0\? np.clip\(images, 0, 1\)"),
    "hardly any below": (SPOILT, r"with 1 of 2,520 below 0: .*np.clip\(images, 0, 1\)"),
    "a tiny negative of 255": (PIXELS - 0.01, r"below 0\? np.clip\(images, 0, 255\)"),
    "10 bits": (PIXELS.astype(np.int64) * 4, r"10 bits\? np.uint16\(images \* \(65535 / 1023\)\)"),
    "12 bits as reals": (PIXELS * 16.0, "12 bits\\? images / 4095"),
    "16 bits as reals": (UNIT * 65535, "16 bits"),
    "cast before scaling": ((UNIT > 0.5).astype(np.uint8), "multiply by 255 before"),
    "booleans": (UNIT > 0.5, r"astype\(np.uint8\) \* 255"),
    "negative": (PIXELS.astype(np.int16) - 128, "from 0 to 255, got int16 from -128"),
    "constant": (np.zeros((3, 8, 8, 1)), "got 0 in all pixels"),
    "ragged": ([PIXELS[0], PIXELS[1, :3]], "differ in size"),
    "text": (np.array(["a.png", "b.png"]), "expected numbers, got text"),
}  # fmt: skip


@pytest.mark.parametrize(("images", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_in_one_line(images, message):
    with pytest.raises(InputError, match=f"^images: .*{message}") as error:
        as_pixels(images)
    assert "\n" not in str(error.value)


def test_labels_are_whole_numbers_from_0_on():
    for labels in (
        [0, 1, 2, 1, 0],
        np.array([[0], [1], [2], [1], [0]]),
        np.array([0, 1, 2, 1, 0], np.float32),
    ):
        found = as_labels(labels, 5)
        assert found.dtype == np.int32
        assert found.tolist() == [0, 1, 2, 1, 0]


LABELS = {
    "one-hot": (np.eye(5), r"one-hot\? labels.argmax\(1\)"),
    "length": ([0, 1], r"one for each of 5 images, got shape \(2,\)"),
    "names": (["cat", "dog", "cat", "cat", "dog"], r"names\? np.unique"),
    "from 1": ([1, 2, 3, 2, 1], r"none that is 0: do they count from 1\? labels - 1"),
    "gaps": ([0, 1, 7, 1, 0], "every number from 0 to 7, got none that is 2: np.unique"),
    "far apart": ([0, 60000, 0, 0, 0], "got none that is 1: np.unique"),
    "negative": ([-1, 0, 1, 0, 1], "0 or more, got -1"),
    "regression": ([0.5, 1, 2, 1, 0], "regression"),
    "infinity": ([0, np.inf, 1, 0, 1], "such as inf"),
    "NaN": ([0, np.nan, 1, 0, 1], "whole numbers, got float64"),
}


@pytest.mark.parametrize(("labels", "message"), LABELS.values(), ids=LABELS)
def test_a_mistake_of_labels_is_named_in_one_line(labels, message):
    with pytest.raises(InputError, match=f"^labels: .*{message}") as error:
        as_labels(labels, 5)
    assert "\n" not in str(error.value)
