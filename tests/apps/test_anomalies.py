"""Anomalies: scores, areas under curves, thresholds, and the command on a stranger's folder."""

import csv
import dataclasses
import io
import json
import types

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import digits, small, untrained
from PIL import Image

from jaxgan import InputError, load
from jaxgan.apps.anomalies import scores
from jaxgan.apps.anomalies.curves import auroc, average_precision, bootstrapped, threshold
from jaxgan.apps.anomalies.detector import Detector, Scored
from jaxgan.apps.anomalies.images import Given, read_images
from jaxgan.apps.anomalies.judged import heat, png_names, sheet, with_map
from jaxgan.cli.use.anomalies import anomalies
from jaxgan.data import IMAGE
from jaxgan.models import MLPConfig
from jaxgan.runs.opened import Run


def test_f_anogans_score_is_that_of_its_paper():
    x, rebuilt = jnp.asarray([[[0.1, 0.5], [-0.3, 0.9]]]), jnp.asarray([[[0.2, 0.4], [-0.1, 1.0]]])
    seen, remade = jnp.asarray([[1.0, 2.0, 3.0]]), jnp.asarray([[1.5, 1.0, 3.0]])
    np.testing.assert_allclose(scores.izi_f(x, rebuilt, seen, remade), [0.4341666666666667], atol=1e-6)
    summed = scores.residual_and_features(x, rebuilt, seen, remade)
    np.testing.assert_allclose(summed, [0.9 * 0.5 + 0.1 * 1.5], atol=1e-6)


def test_areas_under_curves_are_those_of_their_definitions():
    rng = np.random.default_rng(0)
    values, anomalous = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.3
    pairs = [(a > b) + 0.5 * (a == b) for a in values[anomalous] for b in values[~anomalous]]
    assert auroc(values, anomalous) == pytest.approx(np.mean(pairs))
    precision = [anomalous[values >= value].mean() for value in values[anomalous]]
    assert average_precision(values, anomalous) == pytest.approx(np.mean(precision))
    assert auroc(-values, anomalous) == pytest.approx(1 - auroc(values, anomalous))


@pytest.mark.parametrize(
    ("values", "anomalous", "says"),
    [
        ([1.0, 2.0], [True, True], "expected some of both kinds, got 2 anomalies of 2"),
        ([1.0, np.nan], [True, False], "expected finite numbers"),
        ([1.0], [True, False], r"expected as many as examples \(2\), got 1"),
    ],
)
def test_areas_that_there_are_not(values, anomalous, says):
    with pytest.raises(InputError, match=says):
        auroc(np.asarray(values), np.asarray(anomalous))


def test_a_bootstrap_interval_holds_the_value_and_narrows_with_more_examples():
    rng, widths = np.random.default_rng(0), []
    for n in (50, 800):
        anomalous = np.arange(n) % 2 == 0
        value, low, high = bootstrapped(auroc, rng.normal(size=n) + anomalous, anomalous, times=100)
        assert low < value < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_a_threshold_calls_as_many_normal_examples_anomalous_as_it_says():
    """Over many calibrations: the mean rate beyond it, and how often the true rate is in the interval it gives."""
    rng, beyond, inside, covered = np.random.default_rng(0), [], [], []
    for _ in range(300):
        found = threshold(rng.normal(size=99), 0.05)
        true = 1 - phi(found.value)
        beyond.append(true)
        inside.append(found.rate_low <= true <= found.rate_high)
        covered.append(found.low <= 1.6449 <= found.high)
    assert found.rate == 0.05
    assert found.n == 99
    assert np.mean(beyond) == pytest.approx(0.05, abs=0.004)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.04)
    assert np.mean(covered) >= 0.91


def test_an_end_of_a_threshold_that_so_few_examples_cannot_tell_is_open():
    found = threshold(np.arange(20.0), 0.05)
    assert found.high == np.inf
    assert found.low == 16 < found.value == 19
    with pytest.raises(InputError, match="scores: expected finite numbers"):
        threshold(np.append(np.arange(30.0), np.nan), 0.05)


def phi(x):
    from scipy import stats

    return stats.norm.cdf(x)


def test_a_threshold_that_so_few_examples_cannot_tell():
    with pytest.raises(
        InputError, match=r"rate: expected at least 1 / 11, as 10 normal images tell no smaller rate"
    ):
        threshold(np.arange(10.0), 0.05)


def test_principal_components_leave_what_is_across_them():
    rng = np.random.default_rng(0)
    line = rng.normal(size=(200, 1)) @ np.asarray([[3.0, 4.0, 0.0, 0.0]]) + [1, 0, 0, 2]
    fitted = scores.Components(line.reshape(-1, 2, 2, 1), 1)
    found, rebuilt = fitted(np.asarray([[1 + 3, 4, 0.5, 2]]).reshape(1, 2, 2, 1))
    np.testing.assert_allclose(found, [0.25 / 4], atol=1e-9)
    np.testing.assert_allclose(rebuilt.reshape(-1), [4, 4, 0, 2], atol=1e-5)


def test_components_of_fewer_images_than_pixels_are_the_same():
    x = np.random.default_rng(0).normal(size=(6, 5, 2, 1)) * np.arange(1, 6)[:, None, None]
    wide, twice = scores.Components(x, 3), scores.Components(np.concatenate([x] * 2), 3)
    assert len(wide.axes) == 3
    np.testing.assert_allclose(wide(x)[0], twice(x)[0], rtol=1e-6)
    np.testing.assert_allclose(wide.axes @ wide.axes.T, np.eye(3), atol=1e-9)
    assert scores.Components(x, 9)(x)[0].max() < 1e-9  # five axes span all


def test_files_of_heat_maps_are_others_for_other_images():
    names = ["a/b.png", "a__b.png", "c.png", "c.png", "d/" * 200 + "e.png"]
    files = png_names(names)
    assert files[:4] == ["a__b.png", "a__b-2.png", "c.png", "c-2.png"]
    assert len(files[4].encode()) < 200


def test_a_search_finds_each_images_latent_whatever_is_beside_it():
    basis = jnp.asarray([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])
    make, loss = lambda z: z @ basis, lambda x, made: jnp.square(x - made).sum(1)
    z = jnp.asarray([[0.5, -1.0], [2.0, 0.3], [-1.5, 0.1]])
    search = scores.latent_search(make, loss, steps=300)
    found, made = search(make(z), jnp.zeros((3, 2)))
    np.testing.assert_allclose(found, z, atol=1e-2)
    np.testing.assert_allclose(made, make(z), atol=2e-2)
    alone, _ = search(make(z)[:1], jnp.zeros((1, 2)))
    np.testing.assert_allclose(alone[0], found[0], atol=1e-5)


def test_heat_maps_glow_where_images_differ():
    image, rebuilt = np.full((4, 4, 1), 255, np.uint8), np.ones((4, 4, 1), np.float32)
    rebuilt[1, 2] = -1
    row = with_map(image, rebuilt)
    assert row.shape == (4, 14, 3)
    assert (row[1, 12] == 255).all()
    assert row[:, 10:].sum() == 3 * 255
    assert heat(np.asarray([[0.0, 0.5, 9.0]]), 1.0).tolist() == [[[0, 0, 0], [255, 128, 0], [255, 255, 255]]]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of f-AnoGAN with its first weights, on digits of 8x8 pixels."""
    path = tmp_path_factory.mktemp("run")
    config = small(
        path,
        "fanogan",
        data=digits(path, 300),
        model=MLPConfig(g_widths=(8,), d_widths=(8,)),
        game_options=(("gan_steps", 20),),
        final_n=20,
    )
    return untrained(config)


def test_a_strangers_folder_of_all_sizes_and_modes(run, tmp_path, capsys):
    """Mixed sizes, modes, 16 bits, a broken file, no image: one line each for what is left out, the others scored."""
    folder, rng = tmp_path / "photos", np.random.default_rng(0)
    (folder / "more").mkdir(parents=True)
    grey = rng.integers(0, 255, (30, 20)).astype(np.uint8)
    Image.fromarray(grey).save(folder / "grey.png")
    Image.fromarray(np.stack([grey] * 3, -1)).save(folder / "more" / "grey.jpg", quality=100)
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(rng.integers(0, 255, (9, 9, 4)).astype(np.uint8)).save(folder / "rgba.png")
    Image.fromarray(grey[:5, :5]).convert("P").save(folder / "palette.gif")
    (folder / "broken.png").write_bytes(b"nothing")
    (folder / "notes.txt").write_text("no image")
    (folder / ".trash").mkdir()
    Image.fromarray(grey).save(folder / ".trash" / "hidden.png")
    assert anomalies([str(run.path), str(folder), "--out", str(tmp_path / "out"), "--rate", "0.2"]) == 2
    said, errors = capsys.readouterr()
    assert "broken.png': cannot be read (" in errors
    assert "broken.png" not in said
    assert "BytesIO" not in errors
    assert "left out, no images that can be read: 1 file (1 .txt)" in said
    assert "16 bits are rounded to 8 of 1 image, as this run's images are" in said
    assert "transparent pixels are laid over white in 1 image, as this run's images are" in said
    rows = {
        row["image"]: row
        for row in csv.DictReader((tmp_path / "out" / "scores.csv").read_text().splitlines())
    }
    assert set(rows) == {"grey.png", "more/grey.jpg", "deep.png", "rgba.png", "palette.gif"}
    assert float(rows["grey.png"]["score"]) == pytest.approx(float(rows["deep.png"]["score"]), rel=0.05)
    order = [float(row["score"]) for row in rows.values()]
    assert order == sorted(order, reverse=True)
    found = json.loads((tmp_path / "out" / "anomalies.json").read_text())
    limit = found["threshold"]["value"]
    assert [row["anomalous"] == "1" for row in rows.values()] == [score > limit for score in order]
    assert found["threshold"]["n"] == 30
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {
        *("scores.csv", "anomalies.json", "anomalies.html", "most-normal.png", "least-normal.png", "maps"),
    }
    assert {path.name for path in (tmp_path / "out" / "maps").iterdir()} == {
        name.replace("/", "__").removesuffix(".png") + ".png" for name in rows
    }


def test_sheets_have_a_row_for_each_image_with_its_name():
    """By their size: names take room at the left, and headings above."""
    images = np.full((2, 96, 96, 1), 9, np.uint8)
    rebuilt = np.zeros((2, 96, 96, 1), np.float32)
    size = lambda names, rebuilt: (
        Image.open(io.BytesIO(sheet(Given(names, images), Scored(np.ones(2), rebuilt), np.arange(2)))).size
    )
    assert size(["", ""], rebuilt)[1] == size(["", ""], None)[1] == 20 + 2 * 97
    assert size(["a.png", "b.png"], rebuilt)[0] > size(["", ""], rebuilt)[0]
    assert size(["", ""], rebuilt)[0] - size(["", ""], None)[0] == 2 * 97


def test_folders_with_the_same_names_and_the_folder_that_is_written(run, tmp_path):
    spec = Run.at(run.path).spec
    for name in ("a", "b"):
        (tmp_path / name / "found").mkdir(parents=True)
        for file in ("x.png", f"{name}.png", "found/sheet.png"):
            Image.new("L", (8, 8)).save(tmp_path / name / file)
    words = [str(tmp_path / "a"), str(tmp_path / "b")]
    given = read_images(words, spec, out=tmp_path / "a" / "found")
    assert len({*given.names}) == len(given.names) == 5
    assert given.names[0] == "a.png"
    assert given.names[1].endswith("a/x.png")
    some = read_images(words, spec, limit=3)
    assert some.images.shape == (3, 8, 8, 1)
    assert some.names != read_images(words, spec).names[:3]  # at random


def test_images_of_a_run_that_are_not_square(tmp_path):
    wide = types.SimpleNamespace(shape=(4, 8, 1), stored="uint8", modality=IMAGE)
    Image.fromarray(np.full((30, 30, 3), 7, np.uint8)).save(tmp_path / "x.png")
    given = read_images([str(tmp_path)], wide)
    assert given.images.shape == (1, 4, 8, 1)
    assert (given.images == 7).all()


def test_a_score_does_not_depend_on_the_images_beside_it(run):
    images = np.load(run.config().data.source.removeprefix("npz:"))["images"][:6]
    detector = Detector(Run.at(run.path), "anogan", steps=2, starts=2)
    together = detector(images).scores
    np.testing.assert_allclose(detector(images[::-1]).scores[::-1], together, rtol=1e-5)
    np.testing.assert_allclose(detector(images[4:5]).scores, together[4:5], rtol=1e-5)
    assert len({*np.round(together, 6)}) == 6


def test_every_method_of_a_run_scores_a_source_of_known_classes(run, tmp_path, capsys):
    images = np.load(run.config().data.source.removeprefix("npz:"))["images"][:40]
    np.savez(tmp_path / "given.npz", images=images, labels=np.repeat(["0", "strange"], 20))
    for method in ("reconstruction", "anogan", "discriminator", "pca"):
        out = tmp_path / method
        args = ["--method", method, "--search-steps", "3", "--rate", "0.2", "--maps", "2"]
        anomalies([str(run.path), str(tmp_path / "given.npz"), "--out", str(out), *args])
        found = json.loads((out / "anomalies.json").read_text())
        assert (found["images"], found["method"]) == (40, method)
        assert (out / "maps").exists() == (method != "discriminator")
    assert "anomalous:" in capsys.readouterr().out
    detect = Detector(load(run.path), "anogan", steps=2)
    np.testing.assert_allclose(detect(images[7:9]).scores, detect(images).scores[7:9], rtol=1e-5)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nowhere.png"], "unknown data source|does not exist"),
        (["mnist", "--method", "magic"], "unknown method 'magic'"),
        (
            ["mnist", "--method", "egbad"],
            "method: expected one of izi_f, .* for the game 'fanogan', got 'egbad'",
        ),
        (["mnist", "--rate", "2"], "rate: expected"),
        ([], "images: expected files, folders or a data source, got none"),
        (["tests/helpers.py"], "expected at least one image that can be read"),
    ],
)
def test_mistakes_are_one_line(run, tmp_path, args, says):
    with pytest.raises(InputError, match=says):
        anomalies([str(run.path), *args, "--out", str(tmp_path / "out")])


def test_nothing_held_out_asks_for_normal_images(run, tmp_path):
    config = dataclasses.replace(run.config(), out=str(tmp_path))
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, hold_out=0.0))
    with pytest.raises(
        InputError, match=r"normal: expected images to find the threshold with \(--normal FOLDER\)"
    ):
        anomalies([str(untrained(config).path), "mnist", "--out", str(tmp_path / "out")])
