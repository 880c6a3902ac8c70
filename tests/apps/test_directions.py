"""Directions among latents, and what moves along them."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
from helpers import digits, small, untrained
from PIL import Image

import jaxgan
from jaxgan.apps.attributes import Attributes
from jaxgan.apps.editing import directions as found_by
from jaxgan.apps.editing.disentangle import disentanglement
from jaxgan.apps.editing.edit import (
    Latents,
    Move,
    as_space,
    between_classes,
    decoded,
    mixed,
    morphed,
    moved,
    parsed_move,
    walk,
)
from jaxgan.apps.editing.files import read_directions, read_latents, write_directions, write_latents
from jaxgan.apps.network import Network
from jaxgan.cli.use.directions import DirectionsArguments, classifier_of
from jaxgan.common.errors import InputError
from jaxgan.config import DataConfig
from jaxgan.models import DCGANConfig, StyleGAN2Config

GOLDEN = json.loads((pathlib.Path(__file__).parent.parent / "golden" / "editing.json").read_text())


def opened(tmp, **changes):
    config = small(tmp, data=digits(tmp), **changes)
    return Network(jaxgan.load(untrained(config, tmp / "run", scale=2.0).path))


@pytest.fixture(scope="module")
def mlp(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("mlp"))


@pytest.fixture(scope="module")
def style(tmp_path_factory):
    model = StyleGAN2Config(base=32, most=8, style=8, mapping_layers=1, group=2)
    return opened(tmp_path_factory.mktemp("style"), model=model)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A conditional DCGAN of two classes."""
    tmp = tmp_path_factory.mktemp("labelled")
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
    np.savez(tmp / "two.npz", images=images, labels=np.arange(40) % 2)
    model, data = DCGANConfig(width=2, conditional=True), DataConfig(f"npz:{tmp / 'two.npz'}")
    config = small(tmp, "dcgan-mnist", model=model, data=data)
    return Network(jaxgan.load(untrained(config, tmp / "run", scale=3.0).path))


def test_sefa_has_the_values_of_the_reference():
    golden = GOLDEN["sefa"]
    values, vectors = found_by.sefa(np.asarray(golden["weights"]))
    np.testing.assert_allclose(values, golden["eigenvalues"], atol=1e-5)
    np.testing.assert_allclose(vectors, golden["directions"], atol=golden["tolerance"])


def test_sefa_leaves_rows_of_zeros_out():
    weights = np.asarray([[3.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(found_by.sefa(weights)[0], [1, 0], atol=1e-12)


def test_the_first_weights_of_an_mlp_are_its_first_layer(mlp):
    weights, names = found_by.first_weights(mlp, "z")
    assert names == ["dense_0"]
    kernel = np.asarray(mlp.variables["params"]["dense_0"]["kernel"])
    np.testing.assert_allclose(weights, kernel.T, rtol=1e-3, atol=1e-4 * np.abs(kernel).max())


def test_w_meets_the_affine_layers(style):
    weights, names = found_by.first_weights(style, "w")
    assert len(names) == 5  # a convolution of 4x4, two of 8x8, and two to colours
    assert all(name.endswith("affine") for name in names)
    kernel = np.asarray(style.variables["params"]["to_image"]["conv_0"]["conv"]["affine"]["kernel"])
    place = names.index("to_image/conv_0/conv/affine")
    assert place == 0
    first = weights[: kernel.shape[1]]
    np.testing.assert_allclose(first * np.sqrt(len(kernel)), kernel.T, rtol=1e-3, atol=1e-3)


def test_z_meets_the_mapping_though_it_is_normalised(style):
    assert found_by.first_weights(style, "z")[1] == ["to_w/dense_0"]


def test_components_of_w_are_those_of_its_covariance(style):
    found = found_by.principal(style, "w", 3, n=100)
    z, labels = style.drawn(range(100))
    w = style.styles(z, labels)[:, 0].astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(w.T))
    np.testing.assert_allclose(found.values, values[::-1][:3] / values.sum(), rtol=1e-4)
    np.testing.assert_allclose(np.abs(found.vectors @ vectors[:, ::-1][:, :3]), np.eye(3), atol=1e-3)


def test_too_few_draws_for_so_many_components_are_told(style):
    with pytest.raises(InputError, match="n: expected .* 4"):
        found_by.principal(style, "w", 3, n=3)


def test_components_of_more_features_than_draws_are_the_same():
    x = np.random.default_rng(0).standard_normal((20, 30)) * np.arange(1, 31)
    x -= x.mean(0)
    narrow = found_by.components(np.concatenate([x, np.zeros((20, 30))]), 3)
    wide = found_by.components(x, 3)
    np.testing.assert_allclose(np.abs((wide[1] * narrow[1]).sum(1)), 1, atol=1e-6)
    np.testing.assert_allclose(wide[2], narrow[2], rtol=1e-6)


def test_latents_move_along_components_of_features(mlp):
    """The directions of z are those of the regression: a linear network's are its right singular vectors."""
    found = found_by.principal(mlp, "z", 2, n=1000, layer="dense_0")
    kernel = np.asarray(mlp.variables["params"]["dense_0"]["kernel"], np.float64)
    left = np.linalg.svd(kernel)[0]
    assert np.linalg.norm(found.vectors @ left[:, :4], axis=1).min() > 0.9
    assert np.linalg.norm(found.vectors @ left[:, :1], axis=1).max() > 0.8
    with pytest.raises(InputError, match="unknown layer 'dence_0'; did you mean 'dense_0'"):
        found_by.principal(mlp, "z", 2, n=50, layer="dence_0")


def test_logistic_regression_finds_the_plane():
    x = np.random.default_rng(0).standard_normal((400, 3))
    w, b = found_by.logistic(x, x @ [2.0, -1.0, 0.0] > 0.5, 1e-3)
    np.testing.assert_allclose(w / np.linalg.norm(w), np.asarray([2, -1, 0]) / np.sqrt(5), atol=0.06)
    assert -b / np.linalg.norm(w) == pytest.approx(0.5 / np.sqrt(5), abs=0.1)


def sides(images):
    """How bright the left and the right half are."""
    x = images.astype(float) / 255
    return np.stack([x[:, :, :4].mean((1, 2, 3)), x[:, :, 4:].mean((1, 2, 3))], axis=1)


def test_supervised_directions_are_more_selective_than_random_ones(mlp):
    middle = np.median(sides(mlp.decode(*mlp.drawn(range(200)))), axis=0)
    scores = lambda images: 1 / (1 + np.exp(-40 * (sides(images) - middle)))
    found = found_by.supervised(mlp, "z", scores, ["left", "right"], n=400)
    assert found.names == ["left", "right"]
    assert min(found.values) > 0.7
    known = Attributes("sides", ["left", "right"], scores)
    ours = disentanglement(mlp, found, known, n=60)
    theirs = disentanglement(mlp, found_by.random_directions(mlp, "z", 3), known, n=60)
    for a, b in zip(ours, theirs, strict=True):
        assert a.change > max(0.3, b.change)
        assert a.interval[0] < a.change < a.interval[1]
        assert a.share == pytest.approx(a.change / (a.change + a.others), rel=1e-6)
    assert ours[0].direction == 0


def test_attributes_that_all_images_have_are_left_out(mlp):
    scores = lambda images: np.ones((len(images), 1))
    with pytest.raises(InputError, match="some have an attribute and some have not, got 80 all alike"):
        found_by.supervised(mlp, "z", scores, ["there"], n=80)


def test_moves_are_so_many_standard_deviations(mlp):
    found = found_by.closed_form(mlp, "z", 4)
    z, _ = mlp.drawn([3, 4])
    start = Latents("z", z, None)
    far = moved(mlp, start, found, [(1, np.asarray([0.0, -2.0]))]).v
    np.testing.assert_array_equal(far[0], z[0])
    np.testing.assert_allclose(far[1], z[1] - 2 * found.scales[1] * found.vectors[1], atol=1e-6)
    assert found.scales[1] == pytest.approx(1, abs=0.1)  # of standard normal latents


def test_only_the_named_layers_move(style):
    found = found_by.closed_form(style, "w", 2)
    start = Latents("z", *style.drawn([0]))
    w = as_space(style, start, "w+").v
    far = moved(style, start, found, [(0, np.ones(1))], [1]).v
    assert (far[:, 1] != w[:, 1]).any()
    np.testing.assert_array_equal(np.delete(far, 1, axis=1), np.delete(w, 1, axis=1))
    with pytest.raises(InputError, match="layers: expected numbers from 0 to 3, got 9"):
        moved(style, start, found, [(0, np.ones(1))], [9])


def test_images_of_w_are_those_of_z(style):
    start = Latents("z", *style.drawn([0, 1]))
    np.testing.assert_array_equal(decoded(style, as_space(style, start, "w")), decoded(style, start))


def test_styles_mix_by_layers(style):
    a, b = (Latents("z", *style.drawn(seeds)) for seeds in ([0, 1], [2, 3, 4]))
    ours, theirs = (as_space(style, x, "w+").v for x in (a, b))
    both = mixed(style, a, b, [2, 3]).v.reshape(2, 3, *ours.shape[1:])
    np.testing.assert_array_equal(both[1, 2, :2], ours[1, :2])
    np.testing.assert_array_equal(both[1, 2, 2:], theirs[2, 2:])


def test_walks_begin_and_end_where_they_should(mlp, style):
    for network, space in ((mlp, "z"), (style, "w")):
        a, b = (as_space(network, Latents("z", *network.drawn(seeds)), space) for seeds in ([0], [1]))
        path = walk(network, a, b, np.asarray([0, 0.5, 1])).v
        np.testing.assert_allclose(path[0], a.v[0], atol=1e-5)
        np.testing.assert_allclose(path[2], b.v[0], atol=1e-5)
        assert not np.allclose(path[1], a.v[0])


def test_classes_morph_from_one_to_the_other(labelled):
    z = labelled.run.sampler.latents([0, 0, 0])
    zeros, ones = np.zeros(3, np.int32), np.ones(3, np.int32)
    made = morphed(labelled, z, zeros, ones, np.asarray([0, 0.5, 1])).astype(int)
    a, b = (labelled.decode(z[:1], label[:1]).astype(int)[0] for label in (zeros, ones))
    assert np.abs(made[0] - a).max() <= 1
    assert np.abs(made[2] - b).max() <= 1
    assert np.abs(made[1] - a).max() > 3 < np.abs(made[1] - b).max()


def test_only_classes_morph(mlp):
    with pytest.raises(InputError, match="morph: expected a conditional generator"):
        morphed(mlp, *[np.zeros((1, 1))] * 4)


@pytest.mark.parametrize("text", ["3", "3=", "3=a", "=2", "3=1:2:3"])
def test_moves_that_are_none(text):
    with pytest.raises(InputError, match=r"direction: expected one such as 3=-2:2 or glasses=1.5, got"):
        parsed_move(text)


def test_moves():
    assert parsed_move("3=-2:2") == Move("3", -2, 2)
    assert parsed_move("long hair=.5") == Move("long hair", 0.5, 0.5)


def test_files_come_back(mlp, style, tmp_path):
    found = found_by.closed_form(mlp, "z", 3)
    write_directions(tmp_path / "d.npz", found, step=40)
    again = read_directions(tmp_path / "d.npz", mlp)
    np.testing.assert_array_equal(again.vectors, found.vectors)
    assert (again.names, again.method, again.space) == (found.names, "sefa", "z")
    z, _ = mlp.drawn([0])
    write_latents(tmp_path / "z.npz", "z", z, None)
    np.testing.assert_array_equal(read_latents(tmp_path / "z.npz", mlp)[1], z)
    w = as_space(style, Latents("z", z, None), "w").v
    write_latents(tmp_path / "w.npz", "w", w, None)
    with pytest.raises(InputError, match="of another run"):
        read_latents(tmp_path / "w.npz", mlp)
    with pytest.raises(InputError, match=r"expected an .npz of directions"):
        read_directions(tmp_path / "z.npz", mlp)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(InputError, match="it is damaged, or no .npz"):
        read_latents(tmp_path / "bad.npz", mlp)
    with pytest.raises(InputError, match="got nothing at"):
        read_latents(tmp_path / "none.npz", mlp)


def test_directions_are_found_by_number_and_name(mlp):
    found = found_by.closed_form(mlp, "z", 3)
    assert found.find("2") == 2
    with pytest.raises(InputError, match="direction: expected a number from 0 to 2, got 3"):
        found.find("3")
    with pytest.raises(InputError, match="unknown direction 'glasses'"):
        found.find("glasses")
    for name in ("-1", "\u00b2"):
        with pytest.raises(InputError, match="direction"):
            found.find(name)
    digits = dataclasses.replace(found, names=["0", "2", "7"])  # the others were left out
    assert (digits.find("2"), digits.find("7"), digits.find("1"), digits.find(2)) == (1, 2, 1, 2)


def test_damaged_files_of_directions_are_one_line(mlp, tmp_path):
    path = tmp_path / "d.npz"
    write_directions(path, found_by.closed_form(mlp, "z", 3))
    with np.load(path) as arrays:
        good = dict(arrays)
    for name, value in (
        ("directions", np.float32(1)),
        ("directions", np.full((3, mlp.dim("z")), "x")),
        ("scales", np.full(3, "x")),
        ("scales", np.full(3, np.nan, np.float32)),
        ("about", np.asarray("{")),
        ("about", np.asarray("[]")),
    ):
        np.savez(path, **good | {name: value})
        with pytest.raises(InputError, match="directions: "):
            read_directions(path, mlp)
    np.savez_compressed(path, **good)
    content = bytearray(path.read_bytes())
    content[150:400] = bytes(250)
    path.write_bytes(content)
    with pytest.raises(InputError, match="it is damaged"):
        read_directions(path, mlp)
    write_latents(path, "z", mlp.drawn([0])[0], np.asarray([0]))
    with np.load(path) as arrays:
        np.savez(path, **dict(arrays) | {"labels": np.asarray(["x"])})
    with pytest.raises(InputError, match="latent: cannot read"):
        read_latents(path, mlp)


def test_held_out_images_of_attributes_are_not_the_first(mlp, tmp_path, monkeypatch):
    """A file that is sorted by an attribute: both parts have images with it."""
    for i in range(20):
        Image.new("L", (8, 8), i).save(tmp_path / f"{i}.png")
    rows = {f"{i}.png": {"late": i >= 10} for i in range(20)}
    seen = []

    def fit(images, true, **more):
        seen.append(true["late"])
        return Attributes("late", ["late"], lambda images: np.zeros((len(images), 1)))

    monkeypatch.setattr("jaxgan.apps.attributes.fit", fit)
    arguments = DirectionsArguments(run=pathlib.Path(), method="supervised", attributes=tmp_path / "a.json")
    arguments.attributes.write_text(json.dumps(rows))
    classifier_of(arguments, mlp.run)
    assert len(seen[0]) == 16
    assert 6 <= seen[0].sum() <= 10
    arguments.attributes.write_text(json.dumps(dict(list(rows.items())[8:12])))
    with pytest.raises(InputError, match="attributes: expected those of at least 20 images, got 4"):
        classifier_of(arguments, mlp.run)


def test_classes_that_are_not_embedded_do_not_morph():
    with (
        pytest.raises(InputError, match="morph: expected a generator that embeds its classes"),
        between_classes(np.zeros(1), np.ones(1), np.zeros(1), 2),
    ):
        pass
