"""PSNR, SSIM, MS-SSIM and patches against reference packages, closed forms and direct computations."""

import helpers
import jax
import numpy as np
import pytest
import scipy.stats

from jaxgan import InputError
from jaxgan.metrics import sliced_wasserstein
from jaxgan.metrics.scores.patches import blur, expand, swd_patches
from jaxgan.metrics.scores.similarity import ms_ssim, ms_ssim_diversity, psnr, ssim

GOLDEN = dict(np.load(helpers.GOLDEN / "similarity.npz"))
FUNCTIONS = [psnr, ssim, ms_ssim]


def large(n=2, seed=0, size=161):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 1), np.uint8)


# --- against other packages --------------------------------------------------------------------


def test_psnr_is_that_of_scikit_image():
    np.testing.assert_allclose(psnr(GOLDEN["x"], GOLDEN["y"]), GOLDEN["psnr"], rtol=1e-6)


@pytest.mark.parametrize("package", ["skimage", "msssim"])
def test_ssim_is_that_of_other_packages(package):
    """The third pair is bright and flat, where float32 would lose E[x^2] - E[x]^2."""
    np.testing.assert_allclose(ssim(GOLDEN["x"], GOLDEN["y"]), GOLDEN[f"ssim_{package}"], atol=1e-6)


def test_ssim_of_floats_and_of_another_window():
    x, y = (GOLDEN[name].astype(np.float32) / 127.5 - 1 for name in "xy")
    np.testing.assert_allclose(ssim(x, y, data_range=2), GOLDEN["ssim_skimage_float"], atol=1e-6)
    got = ssim(GOLDEN["x"], GOLDEN["y"], window=7, sigma=1.0, k1=0.02, k2=0.05)
    np.testing.assert_allclose(got, GOLDEN["ssim_msssim_7"], atol=1e-6)


def test_ms_ssim_is_that_of_pytorch_msssim():
    x, y = GOLDEN["large_x"], GOLDEN["large_y"]
    np.testing.assert_allclose(ms_ssim(x, y), GOLDEN["ms_ssim"], atol=2e-6)
    np.testing.assert_allclose(ms_ssim(x, y, weights=[0.2, 0.3, 0.5]), GOLDEN["ms_ssim_3"], atol=2e-6)
    odd = ms_ssim(x[:, :163, :161], y[:, :163, :161])
    np.testing.assert_allclose(odd, GOLDEN["ms_ssim_odd"], atol=2e-6)


def test_sliced_wasserstein_is_that_of_pot():
    x, y = GOLDEN["points_x"], GOLDEN["points_y"]
    got = [sliced_wasserstein(x, y, projections=64, seed=seed) for seed in (0, 1)]
    np.testing.assert_allclose(got, GOLDEN["sliced_wasserstein"], rtol=1e-10)
    assert got[0] != got[1]


# --- laws ----------------------------------------------------------------------------------------


def test_equal_images_are_as_similar_as_can_be():
    x = large()
    assert np.isposinf(psnr(x, x)).all()
    np.testing.assert_allclose(ssim(x, x), 1, atol=1e-6)
    np.testing.assert_allclose(ms_ssim(x, x), 1, atol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_similarity_is_symmetric_and_per_image(function):
    x, y = GOLDEN["large_x"], GOLDEN["large_y"]
    both = np.asarray(function(x, y))
    assert both.shape == (2,)
    np.testing.assert_allclose(function(y, x), both, rtol=1e-5)
    np.testing.assert_allclose(function(x[1:], y[1:]), both[1:], rtol=1e-5)
    assert abs(both[0] - both[1]) > 1e-4


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_data_range_scales_with_the_images(function):
    x, y = GOLDEN["large_x"], GOLDEN["large_y"]
    unit = function(x.astype(np.float32) / 255, y.astype(np.float32) / 255, data_range=1)
    np.testing.assert_allclose(unit, function(x, y), rtol=2e-5)
    assert not np.allclose(function(x, y, data_range=100), function(x, y), rtol=1e-3)


@pytest.mark.parametrize(("a", "b"), [(200, 210), (0, 255), (251, 250)])
def test_constant_images_are_closed_form(a, b):
    x, y = np.full((1, 161, 161, 2), a, np.uint8), np.full((1, 161, 161, 2), b, np.uint8)
    c1 = (0.01 * 255) ** 2
    luminance = (2 * a * b + c1) / (a**2 + b**2 + c1)
    np.testing.assert_allclose(psnr(x, y), 20 * np.log10(255 / abs(a - b)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ssim(x, y), luminance, atol=1e-6)
    # An even size: zeros are added to odd ones.
    x, y = (np.resize(image, (1, 176, 176, 2)) for image in (x, y))
    np.testing.assert_allclose(ms_ssim(x, y), luminance**0.1333, atol=1e-6)


def test_opposite_images():
    x = large()
    assert (np.asarray(ssim(x, 255 - x)) < -0.5).all()
    np.testing.assert_array_equal(ms_ssim(x, 255 - x), 0)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_similarity_can_be_jitted(function):
    x, y = GOLDEN["large_x"], GOLDEN["large_y"]
    np.testing.assert_allclose(jax.jit(function)(x, y), function(x, y), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: psnr(large(), large()[:1]), "psnr: expected two sets of images of one shape"),
        (lambda: ssim(large()[0], large()[0]), r"ssim: expected two sets .* got \(161, 161, 1\)"),
        (lambda: ssim(large(), large() / 127.5), "both images uint8 or both float, got uint8 and float32"),
        (lambda: psnr(large(), large(), data_range=0), "data_range: expected a positive number, got 0"),
        (lambda: ssim(large(size=10), large(size=10)), "at least 11x11 pixels for a window of 11, got 10x10"),
        (lambda: ssim(large(), large(), window=10), "window: expected an odd number"),
        (lambda: ssim(large(), large(), sigma=0), "sigma: expected a positive"),
        (
            lambda: ms_ssim(large(size=160), large(size=160)),
            "at least 161x161 pixels for a window of 11 at 5 scales, got 160x160",
        ),
        (lambda: ms_ssim(large(), large(), weights=()), "weights: expected one non-negative"),
        (lambda: ms_ssim_diversity(large(1)), "images: expected .* n >= 2"),
        (lambda: ms_ssim_diversity(large(), pairs=1), "pairs: expected at least 2, got 1"),
    ],
)
def test_bad_images_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_the_smallest_images_are_enough():
    assert np.isfinite(ssim(large(size=11), large(seed=1, size=11))).all()
    assert np.isfinite(ms_ssim(large(), large(seed=1))).all()


# --- diversity -----------------------------------------------------------------------------------


def test_diversity_is_the_mean_over_pairs_of_different_images():
    x = np.concatenate([GOLDEN["large_x"], GOLDEN["large_y"][:1]])
    x = x[:, :48, :48]  # enough for two scales
    few = {"weights": (0.4, 0.6)}
    of = lambda i, j: float(ms_ssim(x[i : i + 1], x[j : j + 1], **few)[0])
    mean, error = ms_ssim_diversity(x[[0, 2]], pairs=40, **few)
    assert mean == pytest.approx(of(0, 2), rel=1e-5)  # never an image with itself
    assert error == pytest.approx(0, abs=1e-6)
    values = [of(0, 1), of(0, 2), of(1, 2)]
    mean, error = ms_ssim_diversity(x, pairs=200, **few)
    assert (
        np.std(values) / np.sqrt(200) < error < np.std(values)
    )  # 200 pairs of three images are far from independent
    assert abs(mean - np.mean(values)) < 4 * error
    assert ms_ssim_diversity(x, pairs=200, **few) == (mean, error)
    assert ms_ssim_diversity(x, pairs=200, seed=1, **few) != (mean, error)


def test_copies_have_no_diversity():
    mean, error = ms_ssim_diversity(np.tile(large(1), (5, 1, 1, 1)), pairs=10, weights=(1.0,))
    assert mean == pytest.approx(1, abs=1e-6)
    assert error == pytest.approx(0, abs=1e-7)


# --- patches ---------------------------------------------------------------------------------------


def smooth(n, seed, size=32, channels=2):
    noise = np.random.default_rng(seed).normal(size=(n, size, size, channels)).astype(np.float32)
    return 128 + 60 * blur(noise)


def test_the_pyramid_is_that_of_opencv():
    image = GOLDEN["pyramid_image"][None, :, :, None]
    np.testing.assert_allclose(blur(image)[0, ::2, ::2, 0], GOLDEN["pyramid_down"], atol=1e-6)
    # OpenCV repeats the last row and column of what it expands; the published pyramid mirrors them.
    np.testing.assert_allclose(expand(image)[0, :-2, :-2, 0], GOLDEN["pyramid_up"][:-2, :-2], atol=1e-6)


def test_patches_are_compared_as_published():
    """Every step again, one patch and one direction at a time."""
    real, fake = smooth(3, 0, 16), smooth(3, 1, 16) ** 2 / 100
    directions = np.random.default_rng(5).normal(size=(98, 4))
    directions /= np.linalg.norm(directions, axis=0)
    expected = []
    for level, size in ((0, 16), (1, 8)):
        positions = np.random.default_rng((5, level)).integers(size - 6, size=(3, 10, 2))
        sets = []
        for images in (real, fake):
            coarse = blur(images)[:, ::2, ::2]
            image = images - expand(coarse) if level == 0 else coarse
            cut = [image[i, r : r + 7, c : c + 7] for i, places in enumerate(positions) for r, c in places]
            cut = np.stack(cut).astype(np.float64)
            sets.append(((cut - cut.mean((0, 1, 2))) / cut.std((0, 1, 2))).reshape(30, -1))
        one = [scipy.stats.wasserstein_distance(sets[0] @ d, sets[1] @ d) for d in directions.T]
        expected.append(1000 * np.mean(one))
    got = swd_patches(real, fake, levels=2, patches_per_image=10, projections=4, seed=5)
    assert list(got) == [16, 8]
    np.testing.assert_allclose(list(got.values()), expected, rtol=1e-4)


def test_patches_do_not_see_brightness_and_contrast():
    real, fake = smooth(20, 0), smooth(20, 1)
    score = lambda x, y: np.asarray(list(swd_patches(x, y, projections=16, patches_per_image=16).values()))
    assert score(real, fake).min() > 1
    assert score(real, real).max() == 0
    assert score(real, 0.5 * real + 20).max() < 0.01
    np.testing.assert_allclose(score(real, fake), score(fake, real), rtol=1e-6)


def test_each_level_has_its_own_frequencies():
    """The pyramid's filter removes a checkerboard of pixels, exactly."""
    real = smooth(20, 0)
    sign = 1 - 2 * (np.indices((32, 32)).sum(0) % 2)
    score = swd_patches(real, real + 60 * sign[:, :, None], projections=16, patches_per_image=16)
    assert score[32] > 50
    assert score[16] < 0.01


def test_bad_patches_are_named():
    x = smooth(2, 0)
    assert list(swd_patches(x, x, levels=3, projections=2, patches_per_image=2)) == [32, 16, 8]
    with pytest.raises(InputError, match="levels: expected sides that 4 levels halve to at least 7"):
        swd_patches(x, x, levels=4)
    with pytest.raises(InputError, match="levels: .* got images of 30x32"):
        swd_patches(x[:, :30], x[:, :30], levels=3)
    with pytest.raises(InputError, match="two sets of images of one shape"):
        swd_patches(x, x[:1])
    with pytest.raises(InputError, match="patches_per_image: expected at least 1, got 0"):
        swd_patches(x, x, patches_per_image=0)
