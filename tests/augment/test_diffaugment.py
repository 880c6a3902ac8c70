"""DiffAugment against its authors' definition of what each of its three changes may do."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.augment import diffaugment
from jaxgan.augment.diffaugment import cut_out, recolored, translated
from jaxgan.common.keys import quick

KEYS = jax.random.split(quick(0), 500)


def see(augmentation, x, keys=KEYS):
    return jax.jit(augmentation.see)((), x, keys[: len(x)], jnp.zeros((), jnp.int32))


def images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def test_with_everything_off_examples_stay_exactly_as_they_are():
    x = images(4, 6, 5, 3)
    np.testing.assert_array_equal(see(diffaugment(color=0, translation=0, cutout=0), x), x)


def test_colours_change_as_published():
    """With r uniform in [0, 1): + r - 0.5, then saturation times 2 r, then contrast times r + 0.5."""
    x = images(6, 5, 3)
    r = (np.asarray(jax.random.uniform(KEYS[0], (3,), minval=-1, maxval=1)) + 1) / 2
    y = x + r[0] - 0.5
    grey = y.mean(axis=2, keepdims=True)
    y = (y - grey) * (2 * r[1]) + grey
    y = (y - y.mean()) * (r[2] + 0.5) + y.mean()
    np.testing.assert_allclose(recolored(KEYS[0], x), y, atol=1e-6)
    assert np.abs(y - x).max() > 0.1


def test_opacity_keeps_its_values():
    for channels in (2, 4):
        x = images(5, 6, 6, channels)
        seen = see(diffaugment(translation=0, cutout=0), x)
        np.testing.assert_array_equal(seen[..., -1], x[..., -1])
        assert np.abs(np.asarray(seen - x))[..., :-1].max(axis=(1, 2, 3)).min() > 0.01


def test_an_image_moves_by_up_to_an_eighth_and_zeros_come_in():
    x = images(8, 16, 1)
    padded = np.pad(x, ((1, 1), (2, 2), (0, 0)))
    expected = {
        (i, j): padded[i : i + 8, j : j + 16].tobytes() for i, j in itertools.product(range(3), range(5))
    }
    got = [image.tobytes() for image in np.asarray(jax.vmap(translated, (0, None))(KEYS, x))]
    assert set(got) == set(expected.values())
    counts = np.array([got.count(image) for image in expected.values()])
    assert (
        (counts - 500 / 15) ** 2 / (500 / 15)
    ).sum() < 36.1  # chi-squared, 14 degrees of freedom, p = 0.001


@pytest.mark.parametrize("size", [8, 6])
def test_a_square_of_half_the_side_is_cut_out_wherever_its_centre_is(size):
    """The authors' indices are clamped to the image: the square's pixels outside fall on the border."""
    x, length = np.ones((size, size, 1), np.float32), size // 2
    expected = set()
    for offsets in itertools.product(range(size + 1 - length % 2), repeat=2):
        rows, columns = (np.clip(np.arange(length) + o - length // 2, 0, size - 1) for o in offsets)
        mask = x.copy()
        mask[rows[:, None], columns] = 0
        expected.add(mask.tobytes())
    got = {image.tobytes() for image in np.asarray(jax.vmap(cut_out, (0, None))(KEYS, x))}
    assert got <= expected
    assert len(got) > 0.9 * len(expected)


def test_every_example_is_changed_by_itself_and_gradients_reach_it():
    x = jnp.asarray(np.repeat(images(1, 8, 8, 3), 20, axis=0))
    seen = np.asarray(see(diffaugment(), x))
    assert len({image.tobytes() for image in seen}) == 20
    slopes = jax.jit(jax.grad(lambda x: jnp.square(diffaugment().see((), x, KEYS[:20], 0)).sum()))(x)
    assert np.abs(np.asarray(slopes)).max(axis=(1, 2, 3)).min() > 0


@pytest.mark.parametrize("option", ["color", "translation", "cutout"])
def test_options_out_of_range_are_refused(option):
    with pytest.raises(ValueError, match=f"{option}: expected .*, got -0.1"):
        diffaugment(**{option: -0.1})
    for value in (np.inf, -np.inf, np.nan, np.float32("nan"), None, "1", True):
        with pytest.raises(ValueError, match=f"^{option}: expected .*, got "):
            diffaugment(**{option: value})
    assert diffaugment(**{option: np.float32(0.25)})


def test_examples_that_are_no_images_are_refused():
    with pytest.raises(ValueError, match=r"diffaugment: expected images \[n, h, w, c\], got .* \(2,\)"):
        see(diffaugment(), images(4, 2))
