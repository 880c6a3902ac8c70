"""ADA's pipeline against its authors' implementation, and against what each transformation is."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.layers import cases
from scipy.special import erfinv

from jaxgan.augment import ada, ada_scheduled, laws, rising
from jaxgan.augment.ada import GROUPS, Changes, changed, drawn, inverse_map
from jaxgan.common.keys import quick

GOLDEN = cases("ada")
KEYS = jax.random.split(quick(0), 4000)
ALL = dict.fromkeys(GROUPS, 1.0)
# The group of each case, and its parameters at the quantile q.
CASES = {
    "xflip": ("blit", lambda q: {"flip": np.floor(2 * q)}),
    "rotate90": ("blit", lambda q: {"turns": np.floor(4 * q)}),
    "xint": ("blit", lambda q: {"shift": np.full(2, (2 * q - 1) / 8)}),
    "scale": ("geometric", lambda q: {"scale": 0.2 * erfinv(2 * q - 1)}),
    "brightness_contrast": (
        "color",
        lambda q: {"brightness": 0.2 * erfinv(2 * q - 1), "contrast": 0.5 * erfinv(2 * q - 1)},
    ),
    "lumaflip": ("color", lambda q: {"luma_flip": np.floor(2 * q)}),
    "hue": ("color", lambda q: {"hue": np.pi * (2 * q - 1)}),
    "saturation": ("color", lambda q: {"saturation": erfinv(2 * q - 1)}),
    "cutout": ("cutout", lambda q: {"cutout": 0.5, "centre": (q, q)}),
}


def nhwc(x):
    return np.moveaxis(np.asarray(x, np.float32), 1, -1)


def images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def only(*groups):
    return {group: float(group in groups) for group in GROUPS}


@functools.cache
def compiled(groups):
    return jax.jit(lambda image, changes: changed(KEYS[0], image, changes, only(*groups)))


def make(image, *groups, **changes):
    return np.asarray(compiled(groups)(image, Changes(*map(np.float32, Changes(**changes)))))


def see(augmentation, x, keys=KEYS, step=0):
    return jax.jit(augmentation.see)(augmentation.init(), x, keys[: len(x)], jnp.asarray(step))


# --- as published ---


@pytest.mark.parametrize("name", CASES)
def test_transformations_are_those_of_the_authors(name):
    group, changes = CASES[name]
    image = nhwc(GOLDEN["image"])[0]
    got = make(image, group, **changes(GOLDEN[name]["percentile"]))
    np.testing.assert_allclose(got, nhwc(GOLDEN[name]["output"])[0], atol=1e-5)
    assert np.abs(got - image).max() > 0.2


@pytest.mark.parametrize("shape", [(24, 30, 3), (25, 22, 1), (22, 24, 4), (23, 23, 2)])
def test_at_probability_0_examples_stay_as_they_are(shape):
    x = images(3, *shape)
    np.testing.assert_allclose(see(ada(filter=1, noise=1, cutout=1), x), x, atol=1e-5)


def test_at_step_0_of_a_schedule_they_do_too():
    x = images(3, 24, 30, 3)
    np.testing.assert_allclose(see(ada_scheduled(p=1, steps=10), x), x, atol=1e-5)


def test_every_law_holds_where_examples_are_changed():
    assert [v for v in laws.check(ada(start=0.7, noise=1, cutout=1)) if v.outcome != "holds"] == []


def test_every_change_is_made_as_often_as_p_says():
    p, factors = 0.6, {**ALL, "color": 0.5}
    found = jax.jit(jax.vmap(lambda key: drawn(key, jnp.asarray(p), factors)))(KEYS)
    found = {name: np.asarray(x) for name, x in found._asdict().items()}
    made = {name: x.reshape(len(KEYS), -1) != 0 for name, x in found.items() if name != "centre"}
    one = 1 - np.sqrt(1 - p)
    expected = {name: 0.5 * p if name in Changes._fields[8:13] else p for name in made}
    expected |= {"flip": p / 2, "turns": 0.75 * p, "luma_flip": p / 4, "before": one, "after": one}
    for name, chance in expected.items():
        off = (made[name].mean() - chance) / np.sqrt(chance * (1 - chance) / len(KEYS))
        assert abs(off) < 4, name
    assert abs((made["before"] | made["after"]).mean() - p) < 0.03  # either of them
    ways = made["shift"], made["move"]
    assert all((way[:, 0] == way[:, 1]).all() for way in ways)  # along both axes or along none
    assert (made["bands"].any(1) & ~made["bands"].all(1)).any()  # each band by itself
    assert abs(np.corrcoef(made["scale"][:, 0], made["hue"][:, 0])[0, 1]) < 0.06


def test_strength_has_no_upper_bound():
    """At p = 2 a factor of 1/2 is a certainty."""
    found = jax.vmap(lambda key: drawn(key, jnp.asarray(2.0), {**ALL, "color": 0.5}))(KEYS[:200])
    for name in ("scale", "before", "after", "brightness", "hue", "saturation", "noise", "cutout"):
        assert (np.asarray(getattr(found, name)) != 0).all(), name


def test_distributions_are_those_of_the_paper():
    found = jax.vmap(lambda key: drawn(key, jnp.asarray(1.0), ALL))(KEYS)
    deviations = {"scale": 0.2, "stretch": 0.2, "move": 0.125, "brightness": 0.2, "contrast": 0.5}
    for name, deviation in {**deviations, "saturation": 1.0, "bands": 1.0, "noise": 0.1}.items():
        x = np.asarray(getattr(found, name))
        np.testing.assert_allclose(np.sqrt(np.square(x).mean()), deviation, rtol=0.06, err_msg=name)
        assert abs(x.mean()) < 0.07 * deviation or name == "noise"
        assert abs((np.abs(x) > deviation).mean() - 0.317) < 0.03, name  # Gaussian
    assert (np.asarray(found.noise) > 0).all()
    for name, most in {"shift": 0.125, "before": np.pi, "after": np.pi, "hue": np.pi}.items():
        x = np.asarray(getattr(found, name)) / most
        assert x.min() > -1
        assert x.max() < 1
        np.testing.assert_allclose(np.quantile(x, [0.05, 0.5, 0.95]), [-0.9, 0, 0.9], atol=0.06)
    assert set(np.asarray(found.turns)) == {0, 1, 2, 3}
    assert (np.asarray(found.cutout) == 0.5).all()
    np.testing.assert_allclose(np.quantile(found.centre, [0.05, 0.95]), [0.05, 0.95], atol=0.03)


# --- geometry ---


def blob(height, width, at=(0.0, 0.0), inverse=None):
    """A smooth picture without symmetry, in pixels from the centre, seen through a map of points."""
    y, x = np.mgrid[:height, :width]
    points = np.stack([x - (width - 1) / 2, y - (height - 1) / 2], -1) - np.asarray(at)
    x, y = np.moveaxis(points @ np.asarray(np.eye(2) if inverse is None else inverse).T, -1, 0)
    return (np.exp(-(x**2 / 60 + y**2 / 30)) * (1 + 0.1 * x - 0.1 * y))[..., None].astype(np.float32)


HEIGHT, WIDTH, TURN = 49, 52, 0.7
BACK = np.asarray([[np.cos(TURN), np.sin(TURN)], [-np.sin(TURN), np.cos(TURN)]])
WIDE = np.diag([2**-0.4, 2**0.4])
MAPS = [  # changes, and where the picture is drawn with them
    ({"move": (1.3 / WIDTH, -2.6 / HEIGHT)}, {"at": (1.3, -2.6)}),
    ({"scale": 0.5}, {"inverse": np.eye(2) * 2**-0.5}),
    ({"stretch": 0.4}, {"inverse": WIDE}),
    ({"before": -TURN}, {"inverse": BACK}),
    ({"after": -TURN}, {"inverse": BACK}),
    ({"stretch": 0.4, "after": -TURN}, {"inverse": WIDE @ BACK}),
    ({"before": -TURN, "stretch": 0.4}, {"inverse": BACK @ WIDE}),
    ({"turns": 3.0}, {"inverse": [[0, 1], [-1, 0]]}),
    ({"flip": 1.0}, {"inverse": np.diag([-1, 1])}),
]


def test_maps_of_the_plane_are_made_without_visible_error():
    """Against the picture itself, drawn elsewhere: x to the right, y down, angles from x to y.

    The bound is that of the method, 0.0178 of heights up to 1.03, not of rounding: the low-pass of sym6 is not
    symmetric, so that what is turned lies some hundredths of a pixel off, and the enlarged image is sampled linearly.
    That the warp is the authors' own to rounding is shown by the next test.
    """
    for changes, there in MAPS:
        got = make(blob(HEIGHT, WIDTH), "geometric", **changes)
        inner = slice(11, -11), slice(11, -11)  # no mirrored image is seen there
        expected = blob(HEIGHT, WIDTH, **there)[inner]
        np.testing.assert_allclose(got[inner], expected, atol=0.02, err_msg=str(changes))


def warped_step_by_step(image, inverse, margin):
    """The published way, in float64: mirror, double by sym6, sample linearly, halve by sym6 the other way round.

    By steps that share nothing with the matrices of `warped`: zeros between pixels, sums over taps, a window.
    """
    taps = np.asarray(published_sym6()) / np.sum(published_sym6())
    large = np.pad(image.astype(np.float64), ((margin,) * 2, (margin,) * 2, (0, 0)), "reflect")
    for axis in (0, 1):
        spread = np.zeros([2 * n if i == axis else n for i, n in enumerate(large.shape)])
        spread[(slice(None),) * axis + (slice(None, None, 2),)] = large
        large = 2 * sum(tap * np.roll(spread, k - 5, axis) for k, tap in enumerate(taps))
    height, width, _ = image.shape
    rows, columns = np.mgrid[: 2 * height + 12, : 2 * width + 12]
    x, y = (
        (columns + 1 - width - 6) / 2,
        (rows + 1 - height - 6) / 2,
    )  # from the centre, in pixels of the image
    x, y, _ = np.einsum("ij,jhw->ihw", np.asarray(inverse, np.float64), np.stack([x, y, np.ones_like(x)]))
    row, column = 2 * y + height - 1 + 2 * margin, 2 * x + width - 1 + 2 * margin
    i, j = np.floor(row).astype(int), np.floor(column).astype(int)
    v, u = (row - i)[..., None], (column - j)[..., None]
    found = (1 - v) * ((1 - u) * large[i, j] + u * large[i, j + 1])
    found += v * ((1 - u) * large[i + 1, j] + u * large[i + 1, j + 1])
    for axis, size in ((0, height), (1, width)):
        found = sum(tap * found.take(range(1 + k, 1 + k + 2 * size, 2), axis) for k, tap in enumerate(taps))
    return found


def published_sym6():
    """Of PyWavelets' table: `pywt.Wavelet("sym6").dec_lo`."""
    return [
        *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
        *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
        *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
    ]


def test_the_warp_is_that_of_the_authors():
    """Also where the mirrored image is seen; as far as it is mirrored once, they agree to rounding."""
    image = images(HEIGHT, WIDTH, 2)
    for changes, _ in MAPS:
        inverse = inverse_map(Changes(**changes), HEIGHT, WIDTH)
        expected = warped_step_by_step(image, inverse, margin=min(HEIGHT, WIDTH) - 1)
        got = make(image, "geometric", **changes)
        np.testing.assert_allclose(got, expected, atol=1e-4, err_msg=str(changes))


def test_shifts_by_whole_pixels_are_exact_and_mirror_what_comes_in():
    image = images(16, 24, 3)
    got = make(image, "blit", shift=(0.125, -0.06))  # 3 pixels to the right, 0.96 up
    padded = np.pad(image, ((4, 4), (4, 4), (0, 0)), "reflect")
    np.testing.assert_allclose(got, padded[5 : 5 + 16, 1 : 1 + 24], atol=1e-5)


def test_far_outside_the_image_is_mirrored_on_and_on():
    image = images(5, 6, 1)
    got = make(image, "geometric", move=(4.0, 0.0))  # by 24 pixels: two periods of 10, and 4
    np.testing.assert_allclose(got, np.pad(image, ((0, 0), (4, 0), (0, 0)), "reflect")[:, :6], atol=1e-5)


# --- colours ---


def test_colours_change_about_the_axis_of_greys():
    image = images(4, 5, 3)
    grey = image.mean(-1, keepdims=True)
    np.testing.assert_allclose(make(image, "color", luma_flip=1.0), image - 2 * grey, atol=1e-6)
    np.testing.assert_allclose(make(image, "color", saturation=2.0), grey + 4 * (image - grey), atol=1e-5)
    third = make(image, "color", hue=2 * np.pi / 3)  # red takes the place of green
    np.testing.assert_allclose(third, np.roll(image, 1, axis=-1), atol=1e-5)
    np.testing.assert_allclose(
        make(image, "color", brightness=0.3, contrast=1.0), 2 * (image + 0.3), atol=1e-6
    )  # brightness first


def test_greys_change_as_grey_colours_do_and_opacity_stays():
    changes = {"brightness": 0.2, "contrast": 0.5, "luma_flip": 1.0, "hue": 1.0, "saturation": 1.0}
    one = images(4, 5, 1)
    colored = make(np.repeat(one, 3, -1), "color", **changes)
    np.testing.assert_allclose(make(one, "color", **changes), colored[..., :1], atol=1e-5)
    for colors in (1, 3):
        image = images(4, 5, colors + 1)
        got = make(image, "color", **changes)
        np.testing.assert_array_equal(got[..., -1], image[..., -1])
        np.testing.assert_allclose(got[..., :-1], make(image[..., :-1], "color", **changes), atol=1e-6)


@pytest.mark.parametrize("channels", [2, 4])
def test_what_changes_colours_alone_leaves_opacity_as_it_is(channels):
    image = images(24, 25, channels)
    changes = {"brightness": 0.2, "bands": (1.0, -1.0, 0.5, 1.5), "noise": 0.3}
    got = make(image, "color", "filter", "noise", **changes)
    np.testing.assert_array_equal(got[..., -1], image[..., -1])
    assert (np.abs(got - image)[..., :-1].max((0, 1)) > 0.1).all()
    cut = make(image, "cutout", cutout=0.5)
    np.testing.assert_array_equal(cut == 0, np.repeat(cut[..., -1:] == 0, channels, -1))  # opacity is cut too
    assert (cut[..., -1] == 0).any()


# --- bands, noise, cutout ---


def test_bands_are_amplified_and_the_power_of_photographs_stays():
    """Waves that the mirrors continue: of the highest frequency, a half of it, a quarter, and none.

    The shares of the bands in them are those of the half-band filter (-1, 0, 9, 16, 9, 0, -1) / 32 of sym2.
    """
    gains = np.asarray([0.5, -1.0, 1.5, 0.3])
    power = np.asarray([10, 1, 1, 1]) / 13
    expected = np.ones(4)
    for band, gain in enumerate(gains):
        each = np.where(np.arange(4) == band, 2**gain, 1.0)
        expected *= each / np.sqrt((power * each**2).sum())
    low = (16 + 18 * np.cos(np.pi / 4) - 2 * np.cos(3 * np.pi / 4)) / 32
    n, one = np.arange(25), np.ones(25)
    for wave, gain in [
        (np.cos(0 * n), expected[0]),
        (np.cos(np.pi * n), expected[3]),
        (np.cos(np.pi / 2 * n), expected[2:].mean()),
        (np.cos(np.pi / 4 * n), low * expected[1:3].mean() + (1 - low) * expected[3]),
    ]:
        image = np.outer(one, wave)[..., None].astype(np.float32)
        got = make(image, "filter", bands=gains) / expected[0]  # rows are constant: the lowest band
        factor = (got * image).sum() / (image**2).sum()
        np.testing.assert_allclose(got, factor * image, atol=1e-4)  # a wave stays a wave
        np.testing.assert_allclose(factor, gain, rtol=1e-4)


def test_noise_has_its_deviation_and_differs_from_example_to_example():
    x = np.zeros((2000, 4, 4, 3), np.float32)
    seen = np.asarray(see(ada(blit=0, geometric=0, color=0, noise=1, start=1), x))
    deviations = seen.reshape(2000, -1).std(1)
    np.testing.assert_allclose(np.sqrt(np.square(seen).mean()), 0.1, rtol=0.05)
    assert abs((deviations > 0.1).mean() - 0.317) < 0.05
    assert np.abs(np.corrcoef(seen[:, 0, 0, 0], seen[:, 1, 1, 1])[0, 1]) < 0.1


def test_a_rectangle_of_half_of_each_side_is_cut_out_around_its_centre():
    got = make(np.ones((8, 12, 1), np.float32), "cutout", cutout=0.5, centre=(0.5, 0.25))
    expected = np.ones((8, 12, 1))
    expected[:4, 3:9] = 0
    np.testing.assert_array_equal(got, expected)


def test_gradients_reach_every_example_through_all_of_it():
    x, augmentation = images(20, 24, 24, 3), ada(filter=1, noise=1, cutout=1, start=0.8)
    slopes = jax.jit(
        jax.grad(lambda x: jnp.square(augmentation.see(augmentation.init(), x, KEYS[:20], 0)).sum())
    )(x)
    assert np.isfinite(slopes).all()
    assert np.abs(np.asarray(slopes)).max((1, 2, 3)).min() > 0


# --- strength over the run ---


def test_scheduled_strength_is_that_of_r3gan():
    """p seen in what happens: brightness of black pixels."""
    images_seen = GOLDEN["r3gan_schedule"]["inputs"]["points"]
    p = rising(0.55, 20e6 / 512)
    got = [float(p.value((), jnp.asarray(round(seen / 512)))) for seen in images_seen]
    np.testing.assert_allclose(got, GOLDEN["r3gan_schedule"]["output"], atol=1e-5)
    assert float(rising(0.3, 0).value((), jnp.asarray(0))) == pytest.approx(0.3)
    x = np.zeros((4000, 2, 2, 1), np.float32)
    at = lambda step: np.asarray(see(ada_scheduled(p=0.8, steps=100, blit=0, geometric=0), x, step=step))
    changed_share = [(at(step) != 0).any((1, 2, 3)).mean() for step in (0, 50, 100, 1000)]
    np.testing.assert_allclose(changed_share, [0, 0.4, 0.8, 0.8], atol=0.03)


def test_steered_strength_moves_as_published():
    given = GOLDEN["p_update"]["inputs"]
    augmentation = ada(
        target=given["target"],
        images=1000 * given["ada_kimg"],
        interval=given["interval"],
        start=given["p"],
    )
    up = int(given["batch"] * (1 + given["signs_real_mean"]) / 2 + 0.5)
    logits = jnp.where(jnp.arange(given["batch"]) < up, 1.0, -1.0)
    memory, learn = augmentation.init(), jax.jit(augmentation.learn)
    for _ in range(given["interval"] - 1):
        memory = learn(memory, logits, -logits)
        assert memory["p"] == np.float32(given["p"])
    memory = learn(memory, logits, -logits)
    np.testing.assert_allclose(memory["p"], GOLDEN["p_update"]["output"], atol=1e-7)


def test_steered_strength_passes_1_and_stops_at_0():
    augmentation = ada(images=64, interval=1, start=0.9)
    sure = jnp.ones(32)
    up = augmentation.learn(augmentation.learn(augmentation.init(), sure, -sure), sure, -sure)
    np.testing.assert_allclose(up["p"], 1.9, rtol=1e-6)
    memory = up
    for _ in range(5):
        memory = augmentation.learn(memory, -sure, sure)
    assert float(memory["p"]) == 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ada(color=-1), "color: expected at least 0, got -1"),
        (lambda: ada(start=-0.1), "start: expected a strength >= 0, got -0.1"),
        (lambda: ada(target=1.0), r"target: expected -1 < target < 1, got 1.0"),
        (lambda: ada_scheduled(p=-0.5), "p: expected at least 0, got -0.5"),
        (lambda: ada_scheduled(steps=-1), "steps: expected at least 0, got -1"),
        (
            lambda: see(ada(filter=1), images(2, 30, 21, 3)),
            "filter: expected images with sides greater than 21 pixels, got 30x21",
        ),
        (lambda: see(ada(), images(2, 8, 8, 5)), "color: expected images of 1 to 4 channels, got 5"),
        (
            lambda: see(ada(), images(2, 3)),
            r"ada: expected images \[n, h, w, c\] of at least 2x2 pixels, got .* \(3,\)",
        ),
        (lambda: see(ada(), images(2, 1, 4, 3)), r"ada: expected images .* \(1, 4, 3\)"),
    ],
)
def test_what_cannot_be_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
