"""Images of every depth, points of every dimension, and a modality from outside: trained, sampled, drawn, scored."""

import dataclasses
import io
import struct
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import small
from PIL import Image

import jaxgan
from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.config.groups import HealthConfig
from jaxgan.data import (
    IMAGE,
    MODALITIES,
    POINT,
    Arrays,
    Draws,
    Images,
    Modality,
    Points,
    Spec,
    as_images,
    describe,
    fingerprint,
    from_float,
    make_pipeline,
    open_source,
    other_split,
    to_float,
)
from jaxgan.data.modality import DOMAINS, PAIR
from jaxgan.data.pixels import resized
from jaxgan.metrics import Evaluation, Score, make_evaluator
from jaxgan.metrics.catalogue import Kind
from jaxgan.report import pictures
from jaxgan.train.recorder import run_members
from jaxgan.train.run import train

DEPTHS = [(channels, dtype) for channels in (1, 2, 3, 4) for dtype in (np.uint8, np.uint16)]


def noise(channels, dtype, n=12, size=(6, 5), seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max, (n, *size, channels), dtype, endpoint=True)


def of_images(images, labels=None, names=()):
    return Images("some", images, labels, class_names=names, fingerprint=fingerprint(images, labels))


def tiny(tmp_path, **changes):
    """A run of two steps."""
    every = {name: 2 for name in ("steps", "log_every", "sample_every", "checkpoint_every", "evaluate_every")}
    return small(tmp_path, **{**every, "batch_size": 4, "quick_n": 30, "final_n": 30, **changes})


@pytest.fixture
def trained_on(tmp_path, monkeypatch):
    """Source -> the folder of a run of two steps on it."""

    def run(source, **changes):
        monkeypatch.setattr("jaxgan.config.data.open_source", lambda *args, **options: source)
        return train(tiny(tmp_path, **{"health": HealthConfig(n=20), **changes}))

    return run


def read(data):
    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
        image.load()
        return image.copy()


# --- images of every depth -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_pixel_value_survives_the_model_s_range(dtype):
    every = jnp.arange(np.iinfo(dtype).max + 1).astype(dtype)
    seen = to_float(every)
    assert (seen.dtype, float(seen.min()), float(seen.max())) == (jnp.float32, -1, 1)
    np.testing.assert_array_equal(from_float(seen, dtype), every)
    assert from_float(seen, dtype).dtype == dtype
    np.testing.assert_array_equal(
        from_float(jnp.asarray([-7.0, 7.0]), dtype), np.asarray([0, every[-1]], dtype)
    )


@pytest.mark.parametrize(("channels", "dtype"), DEPTHS)
@pytest.mark.parametrize("kind", ["resident", "stream"])
def test_batches_hold_what_the_files_hold(tmp_path, channels, dtype, kind):
    images = noise(channels, dtype)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(12) % 3)
    source = as_images(open_source(f"npz:{tmp_path / 'a.npz'}"), "source")
    np.testing.assert_array_equal(source.images, images)
    assert source.images.dtype == dtype
    spec = source.spec
    assert (spec.example, spec.shape, spec.n_classes, spec.stored) == (
        "image", (6, 5, channels), 3, np.dtype(dtype).name,
    )  # fmt: skip
    pipeline = make_pipeline(source, batch_size=12, pipeline=kind)
    batch = jax.jit(pipeline.prepare)(next(pipeline.inputs(0)), jnp.int32(0))
    assert {name: (x.shape, x.dtype) for name, x in batch.items()} == {
        name: (x.shape, x.dtype) for name, x in spec.batch(12).items()
    }
    assert float(jnp.abs(batch["image"]).max()) <= 1
    stored = np.asarray(spec.from_model(batch["image"]))
    assert stored.dtype == dtype
    assert sorted(x.tobytes() for x in stored) == sorted(x.tobytes() for x in images)


@pytest.mark.parametrize(("channels", "dtype"), DEPTHS)
def test_every_depth_is_drawn_and_kept_in_files(channels, dtype):
    images = noise(channels, dtype)
    canvas = pictures.grid(images, 4)
    assert (canvas.shape, canvas.dtype) == ((22, 25, 3 if channels > 2 else 1), np.uint8)
    assert read(pictures.picture(images, IMAGE)).format is None  # a copy of a PNG that opens
    kept = pictures.png(images[0])
    assert decoded(kept).dtype == dtype
    np.testing.assert_array_equal(decoded(kept), images[0])
    if dtype == np.uint8 or channels == 1:  # what Pillow reads whole
        np.testing.assert_array_equal(np.asarray(read(kept)).reshape(images[0].shape), images[0])


def decoded(data):
    """The pixels of a PNG file by its specification; filters are those of rows, by Pillow's own writer."""
    width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[kind]
    parts, at = [], 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        body = data[at + 4 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size]) == (zlib.crc32(body),)
        parts += [body[4:]] if body[:4] == b"IDAT" else []
        at += 12 + size
    step = channels * bits // 8
    rows = np.frombuffer(zlib.decompress(b"".join(parts)), np.uint8).reshape(height, 1 + width * step)
    above, out = np.zeros(width * step, int), []
    for filtered, *row in rows.tolist():
        here = np.zeros(width * step, int)
        for i, value in enumerate(row):
            left, corner = (here[i - step], above[i - step]) if i >= step else (0, 0)
            guess = left + above[i] - corner
            paeth = min((left, above[i], corner), key=lambda x, guess=guess: abs(guess - x))
            here[i] = (value + (0, left, above[i], (left + above[i]) // 2, paeth)[filtered]) % 256
        above = here
        out.append(here)
    flat = np.uint8(out).reshape(-1)
    return (flat.view(">u2").astype(np.uint16) if bits == 16 else flat).reshape(height, width, channels)


def test_alpha_shows_a_checkerboard_and_16_bits_are_rounded_to_8():
    deep = np.asarray([0, 128, 129, 385, 386, 65535], np.uint16).reshape(1, 1, 6, 1)
    np.testing.assert_array_equal(pictures.displayed(deep).ravel(), [0, 0, 1, 1, 2, 255])
    image = np.zeros((8, 8, 4), np.uint8)
    image[..., 0] = 200
    image[:, 4:, 3] = 255
    shown = pictures.displayed(image)
    np.testing.assert_array_equal(shown[:, 4:], np.broadcast_to([200, 0, 0], (8, 4, 3)))
    assert (shown[:4, :4] == 255).all()
    assert (shown[4:, :4] == 204).all()
    half = np.full((1, 1, 1, 2), [100, 51], np.uint8)  # a fifth of 100 over white
    assert pictures.displayed(half).item() == round(0.2 * 100 + 0.8 * 255)


@pytest.mark.parametrize("before", [1, 2, 3, 4])
@pytest.mark.parametrize("after", [1, 2, 3, 4])
@pytest.mark.parametrize("resolution", [None, 4])
def test_16_bits_are_converted_and_scaled_as_8_are(before, after, resolution):
    smooth = np.linspace(100, 250, 12 * 9 * before).reshape(1, 12, 9, before).astype(np.uint8)
    expected = resized(smooth, resolution, after)
    got = resized(smooth.astype(np.uint16) * 257, resolution, after)
    assert (got.dtype, got.shape) == (np.uint16, expected.shape)
    np.testing.assert_allclose(got / 257, expected, atol=2.5)
    if (before, resolution) == (after, None):
        np.testing.assert_array_equal(got, smooth.astype(np.uint16) * 257)


def test_folders_keep_alpha_where_it_is_asked_for(tmp_path, cache):
    rgba = noise(4, np.uint8, n=1)[0]
    Image.fromarray(rgba).save(tmp_path / "a.png")
    Image.fromarray(rgba[:, :, :3]).save(tmp_path / "b.png")
    opened = lambda **options: as_images(open_source(f"folder:{tmp_path}", **options), "source").images
    np.testing.assert_array_equal(opened(channels=4)[0], rgba)
    np.testing.assert_array_equal(opened(channels=4)[1, :, :, 3], 255)
    assert opened().shape == (2, 6, 5, 3)
    np.testing.assert_array_equal(opened(channels=2)[0, :, :, 1], rgba[:, :, 3])


def test_a_run_of_deep_images_from_file_to_file(tmp_path, cache, capsys):
    channels, dtype = 4, np.uint16
    np.savez(tmp_path / "a.npz", images=noise(channels, dtype, 64, (16, 16)))
    flags = """
        --steps 2 --batch-size 4 --log-every 2 --sample-every 2 --checkpoint-every 2 --evaluate-every 2 --quick-n 30
        --final-n 30 --model.g-widths 8 --model.d-widths 8 --compute.devices 1 --data.split train --health.n 20
    """
    source = ["--data.source", f"npz:{tmp_path / 'a.npz'}", "--data.flip"]
    assert main(["train", "mlp-mnist", *flags.split(), *source, "--out", str(tmp_path / "runs")]) == 0
    folder = tmp_path / "runs" / "00000-mlp-mnist"
    images = jaxgan.load(folder).sample(n=5)
    assert (images.shape, images.dtype) == ((5, 16, 16, channels), dtype)

    sample = lambda *args: main(["sample", str(folder), "--seeds", "0-4", "--out", *args])
    assert (
        sample(str(tmp_path / "s.npz")) == sample(str(tmp_path / "s.png")) == sample(str(tmp_path / "s")) == 0
    )
    assert (
        main(["sample", str(folder), "--seeds", "0,1", "--frames", "2", "--out", str(tmp_path / "s.gif")])
        == 0
    )
    with np.load(tmp_path / "s.npz") as kept:
        np.testing.assert_array_equal(kept["images"], images)
        assert kept["images"].dtype == dtype
    for i, image in enumerate(images):
        np.testing.assert_array_equal(decoded((tmp_path / "s" / f"seed{i:05d}.png").read_bytes()), image)
    assert {path.name for path in (folder / "samples").iterdir()} >= {"reals.png", "step-0000002.png"}
    capsys.readouterr()
    assert main(["evaluate", str(folder), "--n", "30", "--metrics", "fd,ms_ssim"]) == 0
    out, err = capsys.readouterr()
    assert "fd_random_cnn" in out
    (warning,) = (line for line in err.splitlines() if "ms_ssim" in line)
    assert warning == "warning: ms_ssim: left out, as it looks at pixels of 8 bits, and these have 16"


# --- points of every dimension ---------------------------------------------------------------------


def mixture(d):
    modes = np.stack([np.full(d, -1.0), np.full(d, 1.0)]).astype(np.float32)

    def draw(key):
        which, around = jax.random.split(key)
        label = jax.random.randint(which, (), 0, 2)
        return jnp.asarray(modes)[label] + 0.1 * jax.random.normal(around, (d,)), label

    return Points(f"pair in {d}", draw, modes, 0.1, f"pair {d}")


@pytest.mark.parametrize("d", [1, 5])
def test_points_are_drawn_and_scored_in_any_dimension(d):
    source = mixture(d)
    assert (source.spec.shape, source.spec.stored, source.n) == ((d,), "float32", None)
    points = source.some(300, 1)["image"]
    for reference in (None, source.some(200, 2)["image"]):
        drawn = pictures.pixels_of(pictures.picture(points, POINT, reference=reference))
        assert len(np.unique(drawn)) > 5
    evaluate = make_evaluator(source)
    good = evaluate(lambda n: source.some(n, 3)["image"], 100).scores
    collapsed = evaluate.quick(lambda n: np.ones((n, d), np.float32), 100)
    assert set(good) == {"mode_kl", "sliced_wasserstein", "modes", "high_quality", "reverse_kl"}
    assert good["modes"].value == 2
    assert good["sliced_wasserstein"].value < 0.5
    assert good["mode_kl"].value < 0.1 < 0.6 < collapsed


def test_points_that_are_given_are_scored_on_halves():
    given = Arrays("given", {"point": np.random.default_rng(0).normal(size=(100, 3))}, POINT)
    (score,) = make_evaluator(given)(lambda n: given.some(n, 5)["point"], 1000).scores.values()
    assert (score.n_real, score.n_fake) == (50, 50)
    assert score.split == "given, a half; floor: the other"
    assert 0 < score.floor < 1


def test_a_run_on_points_of_three_coordinates(trained_on, capsys):
    folder = trained_on(mixture(3))
    assert jaxgan.load(folder.path).sample(n=4).shape == (4, 3)
    assert set(folder.read("scores.json")["final"]["scores"]) >= {"sliced_wasserstein", "modes"}
    assert "Trained on points drawn anew" in folder.report.read_text()
    assert "health/diversity" in folder.records()[-1]


# --- a modality from outside -----------------------------------------------------------------------


WAVEFORM = Modality(
    "waveform",
    to_model=lambda x: x.astype(jnp.float32) / 32768,
    from_model=lambda x, dtype: jnp.round(jnp.clip(x * 32768, -32768, 32767)).astype(dtype),
    shown=3,
)
WAVE = "image"  # the name of the array


def waves(modality=WAVEFORM):
    phase = np.random.default_rng(0).uniform(0, 7, (40, 1, 1))
    sound = np.sin(phase + np.arange(32)[:, None] / 3 + np.arange(2)) * 20000
    return Arrays("waves", {WAVE: sound.astype(np.int16)}, modality)


def test_a_waveform_is_trained_and_sampled_and_neither_drawn_nor_scored(
    trained_on, tmp_path, capsys, monkeypatch
):
    source = waves()
    assert (source.spec.shape, source.spec.arrays[WAVE].dtype, source.spec.stored) == (
        (32, 2),
        np.float32,
        "int16",
    )
    folder = trained_on(source)
    assert "no scores: there are none of waveforms" in capsys.readouterr().out
    assert not list(folder.samples.iterdir())
    assert not (folder.path / "scores.json").exists()
    (record,) = folder.records()
    assert "score" not in record
    assert "health/real_sign" in record
    assert "health/diversity" not in record
    page = folder.report.read_text()
    assert "Trained on 40 waveforms of waves (32x2, int16)" in page
    assert "<h2>Scores" not in page
    assert "<h2>Samples" not in page

    unknown = jaxgan.load(folder.path).sample(n=3)  # as the model made it
    monkeypatch.setitem(MODALITIES, "waveform", WAVEFORM)
    known = jaxgan.load(folder.path).sample(n=3)
    np.testing.assert_array_equal(known, np.round(np.clip(unknown * 32768, -32768, 32767)).astype(np.int16))
    out = tmp_path / "s.npz"
    assert main(["sample", str(folder.path), "--seeds", "0-4", "--out", str(out)]) == 0
    with np.load(out) as kept:
        assert (kept["waveforms"].shape, kept["waveforms"].dtype) == ((5, 32, 2), np.int16)
    capsys.readouterr()
    for args, said in (
        (["sample", folder.path, "--out", "s.png"], "out: waveforms are not drawn; write an .npz"),
        (["sample", folder.path, "--out", "s"], "out: waveforms have no image files"),
        (["sample", folder.path, "--out", "s.gif"], "an animation needs a run of images"),
        (["evaluate", folder.path], "expected examples that can be scored, got the waveforms of 'waves'"),
    ):
        assert main([str(arg) for arg in args]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1

    data = {"name": "waves", "n": 40, "shape": [32, 2], "n_classes": 0}  # of an older layout
    folder.write("run.json", {**folder.read("run.json"), "data": data})
    assert main(["sample", str(folder.path)]) == 2
    error = capsys.readouterr().err
    assert "which an older version of jaxgan did not write" in error
    assert error.count("\n") == 1


class Loudness:
    """A score for waveforms."""

    main, features, cheap = "loudness", "none", True

    def __call__(self, generate, n):
        return Evaluation(
            {
                "loudness": Score(
                    self.quick(generate, n),
                    0.0,
                    Kind("loudness", "how loud"),
                    n_real=0,
                    n_fake=n,
                    split="none",
                    features="none",
                )
            }
        )

    def quick(self, generate, n):
        return abs(float(np.abs(generate(n)).mean()) - 12000)


def drawn(examples, columns, reference):
    assert (len(examples), len(reference)) in ((3, 3), (3, 0))
    return pictures.png(np.full((9, 9, 1), 7, np.uint8))


def test_a_modality_may_carry_its_own_drawer_and_scores(trained_on):
    draw = lambda examples, columns, reference: drawn(
        examples, columns, [] if reference is None else reference
    )
    folder = trained_on(waves(dataclasses.replace(WAVEFORM, draw=draw, score=lambda source: Loudness())))
    assert set(folder.read("scores.json")["final"]["scores"]) == {"loudness"}
    assert {path.name for path in folder.samples.iterdir()} >= {"reals.png", "step-0000002.png"}
    np.testing.assert_array_equal(np.asarray(read(folder.samples / "reals.png")), 7)
    assert "loudness" in folder.report.read_text()


def test_members_are_trained_on_it_too(tmp_path):
    members = run_members(tiny(tmp_path), (0, 1), source=waves())
    assert [(member.status, member.final, member.best) for member in members] == [("finished", {}, None)] * 2
    assert members[0].samples.shape == (3, 32, 2)
    assert [record["step"] for record in members[0].curve] == [2]


def test_a_waveform_is_no_image_and_has_no_left_and_right():
    with pytest.raises(InputError, match="^real: expected images, got 'waves', which is made of waveforms$"):
        as_images(waves(), "real")
    with pytest.raises(InputError, match="data.flip: expected images to flip, got the waveforms of 'waves'"):
        make_pipeline(waves(), batch_size=4, flip=True)
    assert other_split(waves()) is None


# --- specs and sources -----------------------------------------------------------------------------


def test_a_spec_is_read_back_from_what_a_run_keeps():
    for source in (
        of_images(noise(2, np.uint16), np.arange(12) % 2, ("a", "b")),
        open_source("ring"),
        mixture(5),
    ):
        spec = Spec.from_json(describe(source))
        assert spec == source.spec
        assert spec.modality is source.modality
    in_parts = lambda x: jnp.stack([x.real, x.imag], -1)
    spectra = Arrays(
        "s", {"spectrum": np.ones((4, 5), np.complex64)}, Modality("spectrum", to_model=in_parts)
    )
    spec = Spec.from_json(describe(spectra))
    assert (spec.stored, spec.arrays) == ("complex64", spectra.spec.arrays)
    data = describe(of_images(noise(3, np.uint8)))
    assert (data["n"], data["modality"], data["n_classes"]) == (12, "image", 0)
    assert data["spec"] == {"image": {"shape": [6, 5, 3], "dtype": "float32"}}


def test_any_arrays_make_a_batch_and_labels_stay_as_they_are():
    left = noise(1, np.uint8)
    left[:, :, 0], left[:, :, -1] = 0, 255  # so that a flip shows
    arrays = {"a": left, "b": left.copy(), "label": np.arange(12) % 3}
    source = Arrays("two domains", arrays, IMAGE)
    assert (source.example, source.class_names) == ("a", ("0", "1", "2"))
    for kind in ("resident", "stream"):
        pipeline = make_pipeline(source, batch_size=12, flip=True, pipeline=kind)
        batch = jax.jit(pipeline.prepare)(next(pipeline.inputs(0)), jnp.int32(0))
        assert {name: str(x.dtype) for name, x in batch.items()} == {
            "a": "float32",
            "b": "float32",
            "label": "int32",
        }
        np.testing.assert_array_equal(batch["a"], batch["b"])  # mirrored together
        mirrored = np.asarray(batch["a"][:, 0, 0, 0] > 0)
        assert 0 < mirrored.sum() < 12
    images = as_images(source, "source")
    np.testing.assert_array_equal(images.images, left)
    np.testing.assert_array_equal(images.labels, np.arange(12) % 3)


def test_what_is_drawn_without_end_may_be_anything():
    draw = lambda key: {"x": jax.random.normal(key, (4, 2)), "label": jax.random.randint(key, (), 0, 2)}
    source = Draws("noise", draw, WAVEFORM, "noise 1", "x", ("a", "b"))
    assert (source.n, source.n_classes, source.spec.shape) == (None, 2, (4, 2))
    pipeline = make_pipeline(source, batch_size=6)
    batch = jax.jit(pipeline.prepare)((), jnp.int32(3))
    assert {name: x.shape for name, x in batch.items()} == {"x": (6, 4, 2), "label": (6,)}
    np.testing.assert_array_equal(source.some(3, 1)["x"], source.some(5, 1)["x"][:3])
    one, other = source.two_sets(5, 0)
    assert (one["x"] != other["x"]).all()


def test_sets_of_finite_data_share_nothing():
    source = Arrays("numbers", {"point": np.arange(11.0)[:, None]}, POINT)
    one, other = (set(x["point"].ravel()) for x in source.two_sets(100, 0))
    assert (len(one), len(other), one & other) == (5, 5, set())
    np.testing.assert_array_equal(source.some(4, 1)["point"], source.some(4, 1)["point"])
    assert (np.diff(source.some(8, 1, ordered=True)["point"].ravel()) > 0).all()
    assert source.of_each_class(2, 0) is None
    labelled = Arrays("few", {"point": np.arange(11.0)[:, None], "label": np.arange(11) // 4}, POINT)
    np.testing.assert_array_equal(labelled.of_each_class(4, 0)["label"], [0] * 4 + [1] * 4 + [2] * 4)


def test_bad_arrays_are_named():
    with pytest.raises(InputError, match=r"arrays: expected examples in 'x', got only \['label'\]"):
        Arrays("x", {"label": np.zeros(3)}, POINT)
    with pytest.raises(InputError, match="as many examples in each of 'x', got {'a': 2, 'label': 3}"):
        Arrays("x", {"a": np.zeros((2, 1)), "label": np.zeros(3)}, POINT)


@pytest.mark.parametrize("modality", [IMAGE, PAIR, DOMAINS, dataclasses.replace(IMAGE, name="scan")])
def test_images_are_stored_as_pixels(modality):
    given, name = noise(3, np.uint8), modality.name
    Arrays("x", {"image": given, "label": np.zeros(12)}, modality)
    for x, said in (
        (given / 255, f"expected uint8 or uint16 for {name}s, got float64 in 'image'"),
        (given.astype(np.int32), f"expected uint8 or uint16 for {name}s, got int32 in 'image'"),
        (given.tolist(), f"expected uint8 or uint16 for {name}s, got list in 'image'"),
        (
            given[..., 0],
            f"expected {name}s [n, height, width, 1 to 4 channels], got shape (12, 6, 5) in 'image'",
        ),
    ):
        with pytest.raises(InputError) as error:
            Arrays("x", {"first": given, "image": x}, modality, example="image")
        assert str(error.value) == f"arrays: {said}"
    Arrays("x", {"image": given, "attributes": np.zeros((12, 40), np.uint8)}, modality)  # beside the images
    Arrays("x", {"image": given / 255}, Modality(name))  # whose numbers are its own


def test_images_of_other_sources_are_pixels_too(tmp_path, capsys):
    floats = np.zeros((4, 8, 8, 1), np.float32)
    with pytest.raises(
        InputError, match="^images: expected uint8 or uint16 for images, got float32 in 'image'$"
    ):
        Images("x", floats, None, class_names=(), fingerprint="f")
    with pytest.raises(
        InputError, match=r"^images: expected images \[n, height, width, 1 to 4 channels\], got"
    ):
        Images("x", np.zeros((4, 8, 8, 5), np.uint8), None, class_names=(), fingerprint="f")
    with pytest.raises(InputError, match="^draw: expected uint8 or uint16 for images, got float32 in 'x'$"):
        Draws("x", lambda key: {"x": jax.random.normal(key, (8, 8, 1))}, IMAGE, "f", "x").spec  # noqa: B018
    path = tmp_path / "own.py"
    path.write_text(
        "import numpy as np\nfrom jaxgan.data import IMAGE, Arrays\n"
        "def floats():\n    return Arrays('x', {'image': np.zeros((9, 8, 8, 1), np.float32)}, IMAGE)\n"
    )
    own = f"{path}:floats"
    for args in (["train", "mlp-mnist", "--data.source", own], ["check", own], ["data", "show", own]):
        assert main(args) == 2
        error = capsys.readouterr().err
        assert "arrays: expected uint8 or uint16 for images, got float32" in error
        assert error.count("\n") == 1, error


def test_the_data_command_shows_every_modality(tmp_path, capsys, monkeypatch):
    shown = lambda *args: main(["data", "show", *args, "--out", str(tmp_path / "d.png")])
    np.savez(tmp_path / "a.npz", images=noise(4, np.uint16))
    assert shown(f"npz:{tmp_path / 'a.npz'}") == shown("ring") == 0
    out = capsys.readouterr().out
    assert "6x5, 4 channels, uint16" in out
    assert "points in the plane, float32" in out
    assert "8, standard deviation 0.01" in out
    monkeypatch.setattr("jaxgan.cli.data.open_source", lambda *args, **options: waves())
    (tmp_path / "d.png").unlink()
    assert shown("waves") == 0
    out = capsys.readouterr().out
    assert "32x2, int16" in out
    assert "none, as waveforms are not drawn" in out
    assert not (tmp_path / "d.png").exists()
