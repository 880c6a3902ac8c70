"""Degradations: what they do to an image, and that it depends on the example's own key alone."""

import io

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgan import InputError
from jaxgan.data import Images, fingerprint, make_pipeline
from jaxgan.data.degrade import DEGRADATIONS, chain_of, degraded

rng = np.random.default_rng(0)
SMOOTH = np.clip(
    128 + 90 * np.sin(np.add.outer(np.arange(32) / 5, np.arange(32) / 3))[..., None] * [1, 0.8, -0.6], 0, 255
).astype(np.uint8)
KEYS = jax.random.split(jax.random.key(3), 6)


def made(names, options=(), images=SMOOTH[None], keys=KEYS, stored=np.uint8):
    """What a chain makes of images, as they would be stored, and the mask."""
    chain = chain_of(names, options)
    x = np.float32(images) / 127.5 - 1
    found = jax.jit(lambda keys, x: chain(keys, x, stored))(keys[: len(x)], x)
    found = {name: np.asarray(value) for name, value in found.items()}
    return (found["input"] + 1) * 127.5, found.get("mask")


def test_every_image_depends_on_its_own_key_alone_and_shapes_are_as_told():
    images = np.stack([SMOOTH, SMOOTH[::-1], SMOOTH[:, ::-1], SMOOTH])
    for name in DEGRADATIONS:
        whole, mask = made((name,), images=images)
        part, _ = made((name,), images=images[2:], keys=KEYS[2:])
        np.testing.assert_array_equal(whole[2:], part)
        shapes = chain_of((name,)).shapes(SMOOTH.shape)
        assert whole.shape[1:] == shapes["input"]
        assert (mask is None) == ("mask" not in shapes)
        there = whole if mask is None else whole[mask[..., 0] == 0]
        assert np.abs(there - np.round(there)).max() < 1e-4  # what files of 8 bits hold
        assert whole.min() >= -1e-4
        assert whole.max() <= 255 + 1e-4


def test_noises_have_their_level():
    flat = np.full((4, 32, 32, 3), 128, np.uint8)
    noisy, _ = made(("denoise",), (("level", 25.0),), flat)
    assert np.std(noisy - 128) == pytest.approx(25, rel=0.03)
    white = np.full((4, 32, 32, 1), 200, np.uint8)
    photons, _ = made(("denoise",), (("noise", "poisson"), ("level", 10.0)), white)
    assert np.std(photons - 200) == pytest.approx(10 * np.sqrt(200 / 255), rel=0.05)
    assert np.mean(photons) == pytest.approx(200, abs=1)
    dark = chain_of(("denoise",), (("noise", "poisson"), ("level", 100.0)))(KEYS, np.full((6, 4, 4, 1), -1.2))
    assert (np.asarray(dark["input"]) == -1).all()  # as bicubic filters leave it beside edges: no photon
    peppered, _ = made(("denoise",), (("noise", "salt-and-pepper"), ("level", 20.0)), flat)
    hit = (peppered != 128).all(-1)
    assert hit.mean() == pytest.approx(0.2, abs=0.02)
    assert {*np.unique(np.round(peppered[hit]))} == {0, 255}
    levels, _ = made(("denoise",), (("level", 1.0), ("level_to", 60.0)), flat)
    assert np.ptp(np.std(levels - 128, axis=(1, 2, 3))) > 5  # each image has its own


def test_masks_lose_what_they_say():
    images = np.full((6, 32, 24, 1), 255, np.uint8)
    lost, mask = made(("inpaint",), (("mask", "centre"), ("size", 0.5)), images)
    expected = np.zeros((32, 24))
    expected[8:24, 6:18] = 1
    np.testing.assert_array_equal(mask[0, ..., 0], expected)
    assert (np.abs(lost[mask == 1] - 127.5) < 1e-3).all()  # 0 for the network
    assert (lost[mask == 0] == 255).all()
    _, border = made(("inpaint",), (("mask", "border"), ("size", 0.5)), images)
    np.testing.assert_array_equal(border, 1 - mask)
    _, boxes = made(("inpaint",), (("mask", "box"), ("size", 0.25)), images)
    assert (boxes.sum((1, 2, 3)) == 8 * 6).all()
    assert len({box.tobytes() for box in boxes}) > 1
    _, strokes = made(("inpaint",), (), images)
    assert 0.03 < strokes.mean() < 0.6
    assert len({stroke.tobytes() for stroke in strokes}) == 6


def test_sizes_colours_and_compression_are_those_of_pillow():
    small, _ = made(("super-resolution",), (("scale", 2.0),))
    pillow = np.asarray(Image.fromarray(SMOOTH).resize((16, 16), Image.Resampling.BICUBIC), float)
    np.testing.assert_allclose(small[0][2:-2, 2:-2], pillow[2:-2, 2:-2], atol=1.5)
    area, _ = made(("super-resolution",), (("scale", 4.0), ("resample", "area")))
    np.testing.assert_allclose(area[0], SMOOTH.reshape(8, 4, 8, 4, 3).mean((1, 3)), atol=0.51)
    grey, _ = made(("colourise",))
    np.testing.assert_allclose(
        grey[0, ..., 0], np.asarray(Image.fromarray(SMOOTH).convert("L"), float), atol=1.01
    )
    for quality in (15, 60):
        for image in (SMOOTH, SMOOTH[:29, :27, :1]):
            squeezed, _ = made(("jpeg",), (("quality", float(quality)),), image[None])
            buffer = io.BytesIO()
            Image.fromarray(image if image.shape[2] == 3 else image[..., 0]).save(
                buffer, "JPEG", quality=quality, subsampling=0
            )
            theirs = np.asarray(Image.open(buffer), float).reshape(image.shape)
            assert np.abs(squeezed[0] - theirs).mean() < 1.0, quality  # theirs is of whole numbers throughout
            assert np.abs(squeezed[0] - image).mean() > 2 * np.abs(squeezed[0] - theirs).mean()


def test_blurs_keep_what_is_flat_and_the_mean_of_a_dot():
    dot = np.zeros((2, 33, 33, 1), np.uint8)
    dot[:, 14:19, 14:19] = 255
    for blur in ("gaussian", "motion"):
        options = (("blur", blur), ("radius", 3.0))
        flat, _ = made(("deblur",), options, np.full((1, 20, 20, 1), 77, np.uint8))
        assert np.abs(flat - 77).max() < 1e-3
        soft, _ = made(("deblur",), options, dot)
        assert soft.sum() == pytest.approx(float(dot.sum(dtype=float)), rel=0.02)
        assert soft.max() < 255


def test_sixteen_bits_stay_sixteen():
    deep = (rng.integers(0, 65536, (2, 16, 16, 1))).astype(np.uint16)
    chain = chain_of(("denoise",), (("level", 0.01), ("level_to", 0.02)))
    found = chain(KEYS[:2], np.float32(deep) / 32767.5 - 1, np.uint16)["input"]
    back = np.round((np.asarray(found, np.float64) + 1) * 32767.5)
    assert len(np.unique(back)) > 300  # more than 8 bits have
    assert 0 < np.abs(back - deep).max() < 65535 * 0.001


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        (("blend",), (), "data.degrade"),
        (("inpaint", "denoise"), (), "expected inpaint last"),
        (("denoise", "denoise"), (), "each name once"),
        ((), (("level", 3.0),), "expected data.degrade beside it"),
        (("denoise",), (("levels", 3.0),), "level"),
        (("denoise",), (("noise", "pink"),), "gaussian"),
        (("denoise",), (("level", "much"),), "data.degrade_options.level: expected a number, got 'much'"),
        (("inpaint",), (("size", 1.5),), "data.degrade_options.size"),
        (("super-resolution",), (("scale", 2.5),), "a whole number"),
        (
            ("super-resolution",),
            (("scale", "inf"),),
            "data.degrade_options.scale: expected a whole number, got inf",
        ),
        (("super-resolution",), (("scale", float("nan")),), "a whole number"),
        (("denoise",), (("noise", "poisson"), ("level", 0.001)), "expected at least 0.01 of poisson noise"),
    ],
)
def test_what_cannot_be_is_one_line(names, options, said):
    with pytest.raises(InputError) as error:
        chain_of(names, options)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_shapes_that_do_not_fit_are_refused():
    for names, shape in (
        (("super-resolution",), (9, 8, 1)),
        (("colourise",), (8, 8, 1)),
        (("jpeg",), (8, 8, 2)),
        (("denoise",), (2,)),
    ):
        with pytest.raises(InputError):
            chain_of(names).shapes(shape)


def test_crops_are_cut_before_and_each_time_elsewhere():
    images = np.arange(4 * 20 * 16, dtype=np.uint16).reshape(4, 20, 16, 1) * 13
    source = degraded(
        Images("x", images, None, class_names=(), fingerprint=fingerprint(images)),
        chain_of(("super-resolution",)),
        8,
    )
    assert {name: x.shape for name, x in source.spec.arrays.items()} == {
        "image": (8, 8, 1),
        "input": (4, 4, 1),
    }
    seen = set()
    for seed in range(3):
        x = np.float32(images) / 32767.5 - 1
        found = source.derived(jax.random.split(jax.random.key(seed), 4), {"image": x})
        for whole, part in zip(x, np.asarray(found["image"]), strict=True):
            at = np.argwhere(whole[..., 0] == part[0, 0, 0])[0]
            seen.add(tuple(at))
            np.testing.assert_array_equal(part, whole[at[0] : at[0] + 8, at[1] : at[1] + 8])
    assert len(seen) > 4
    with pytest.raises(InputError, match="data.crop: expected 1 to 16 pixels"):
        degraded(source.clean, source.chain, 17)


def test_a_batch_is_a_function_of_seed_step_and_index():
    """On one device and on four, resident and streamed, of a pipeline made anew; and another step has others."""
    from jaxgan.common.devices import make_mesh

    images = rng.integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
    clean = Images("x", images, None, class_names=(), fingerprint=fingerprint(images))
    source = degraded(clean, chain_of(("denoise", "inpaint"), (("mask", "box"),)))
    assert {name: x.shape for name, x in source.spec.arrays.items()} == {
        "image": (8, 8, 3), "input": (8, 8, 3), "mask": (8, 8, 1)
    }  # fmt: skip

    def batch(step, **options):
        pipeline = make_pipeline(source, batch_size=8, seed=5, **options)
        inputs = next(iter(pipeline.inputs(step)))
        found = jax.jit(pipeline.prepare)(inputs, np.uint32(step) + jax.numpy.uint32(0))
        return {name: np.asarray(x) for name, x in found.items()}

    first = batch(3)
    for other in (batch(3, pipeline="stream"), batch(3, mesh=make_mesh(jax.devices()[:4]))):
        for name, x in first.items():
            np.testing.assert_array_equal(x, other[name], err_msg=name)
    assert not np.array_equal(first["mask"], batch(4)["mask"])
    np.testing.assert_array_equal(first["input"][first["mask"][..., 0] == 0].shape[-1], 3)
