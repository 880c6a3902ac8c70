"""Units and concepts: agreement, concepts, interventions, the page."""

import json
import pathlib

import flax.linen as nn
import numpy as np
import pytest
from helpers import digits, small, untrained

import jaxgan
from jaxgan.__main__ import main
from jaxgan.apps import attributes
from jaxgan.apps.dissect import concepts
from jaxgan.apps.dissect.agreement import agreement, iou, threshold_of
from jaxgan.apps.dissect.dissect import dissect
from jaxgan.apps.dissect.units import Units, by_effect, changed_images, effect, find_layer, layers, maps_of
from jaxgan.apps.network import Network
from jaxgan.common.errors import InputError
from jaxgan.data.mnist import load_mnist
from jaxgan.models import DCGANConfig

GOLDEN = json.loads((pathlib.Path(__file__).parent.parent / "golden" / "editing.json").read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("run")
    config = small(tmp, "dcgan-mnist", data=digits(tmp), model=DCGANConfig(width=4))
    return jaxgan.load(untrained(config, tmp / "run", scale=2.0).path)


@pytest.fixture(scope="module")
def network(run):
    return Network(run)


def test_iou_has_the_value_of_the_reference():
    golden = GOLDEN["dissection_iou"]
    unit, mask = np.asarray(golden["unit"]), np.asarray(golden["mask"], bool)
    threshold = threshold_of(unit, golden["quantile"])
    assert threshold == pytest.approx(golden["threshold"], abs=golden["tolerance"])
    assert iou(unit > threshold, mask) == pytest.approx(golden["iou"], abs=golden["tolerance"])


def test_iou_is_pooled_over_images():
    seen = np.zeros((2, 4), bool)
    seen[0], seen[1, 0] = True, True
    mask = np.ones((2, 4), bool)
    mask[1] = False
    assert iou(seen, mask) == pytest.approx(4 / 5)  # the mean over images would be 1/2
    assert iou(~seen & seen, mask & ~mask) == 0


def test_a_unit_that_is_the_mask_agrees_and_others_do_not():
    rng = np.random.default_rng(0)
    mask = rng.random((20, 8, 8)) < 0.2
    noise = rng.random((20, 8, 8, 2))
    maps = np.concatenate(
        [noise[..., :1], (mask + 0.1 * noise[..., 1])[..., None], -1.0 * mask[..., None]], axis=3
    )
    found = agreement(maps, {"spots": mask, "nothing": np.zeros_like(mask)})
    assert found.best("spots", 1) == [1]
    assert found.iou[1, 0] > 0.9
    assert found.quantile[1, 0] == 0.8  # as large as the share that is no spot
    assert found.iou[0, 0] < 0.3
    assert (found.iou[:, 1] == 0).all()
    np.testing.assert_allclose(found.area[0], mask.mean())


def test_thresholds_are_chosen_on_other_images():
    """Where the halves differ, what is chosen is what the first one says, and the IoU is the second's."""
    rng = np.random.default_rng(1)
    mask = rng.random((8, 4, 4)) < 0.3
    maps = mask.astype(float)[..., None]
    maps[4:] = 1 - maps[4:]  # the unit turns round
    found = agreement(maps + 0.01 * rng.random(maps.shape), {"spots": mask})
    assert found.iou[0, 0] < 0.1


def test_maps_are_scaled_by_the_centres_of_pixels():
    ramp = np.arange(4.0).reshape(1, 1, 4, 1).repeat(2, axis=1)
    scaled = concepts.resized_maps(ramp, (2, 8))[0, 0, :, 0]
    np.testing.assert_allclose(scaled, [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    assert concepts.resized_maps(np.ones((1, 1, 1, 1)), (3, 3)).shape == (1, 3, 3, 1)
    some = np.random.default_rng(0).random((2, 4, 5, 3))
    for size in ((9, 11), (4, 5)):
        every = concepts.resized_maps(some, size)[:, ::2, ::2]
        np.testing.assert_allclose(concepts.resized_maps(some, size, 2), every, rtol=1e-12)


def test_colours():
    plain = {"red": (220, 20, 20), "orange": (240, 140, 20), "yellow": (240, 230, 40), "green": (30, 180, 60)}
    plain |= {"cyan": (30, 200, 210), "blue": (40, 60, 220), "purple": (120, 40, 200), "pink": (240, 60, 190)}
    plain |= {"black": (10, 10, 10), "white": (250, 250, 250), "grey": (128, 128, 130)}
    for name, rgb in plain.items():
        masks = concepts.colours(np.full((1, 2, 2, 3), rgb, np.uint8))
        assert [key for key, mask in masks.items() if mask.any()] == [f"colour: {name}"]
        assert masks[f"colour: {name}"].all()
    grey = concepts.colours(np.full((1, 2, 2, 1), 128, np.uint8))
    assert set(grey) == {"colour: black", "colour: white", "colour: grey"}


def test_edges_foreground_and_regions():
    images = np.full((1, 9, 9, 3), 30, np.uint8)
    images[0, 3:6, 3:6] = 200
    inside = np.zeros((9, 9), bool)
    inside[3:6, 3:6] = True
    np.testing.assert_array_equal(concepts.foreground(images)["foreground"][0], inside)
    edge = concepts.edges(images)["edge"][0]
    assert edge[3, 3]
    assert not edge[4, 4]
    assert not edge[0].any()
    masks = concepts.regions(images)
    assert sum(mask.astype(int) for mask in masks.values()).min() == 1
    np.testing.assert_array_equal(masks["region: middle centre"][0], inside)


def test_evidence_of_classes_adds_up_to_the_logit():
    """The shipped digit classifier sees its digit, and where: evidence is the logit, position by position."""
    digits = load_mnist("test")
    known = attributes.classifier_for("auto", "mnist:test", lambda: None, (28, 28, 1))
    assert (known.scores(digits.images[:20]).argmax(1) == digits.labels[:20]).mean() > 0.9
    masks = concepts.class_evidence(known)(digits.images[:20])
    label = digits.labels[0]
    assert masks[f"class: {label}"][0].any()
    assert not masks[f"class: {(label + 1) % 10}"][0].any()
    where = np.asarray([masks[f"class: {digits.labels[i]}"][i].any() for i in range(20)])
    assert where.mean() > 0.9


class Tiny(nn.Module):
    """A classifier in the place of the library's, which takes long to compile."""

    n_classes: int

    @nn.compact
    def __call__(self, x, *, train=False):
        self.variable("batch_stats", "none", lambda: np.zeros(()))
        x = nn.relu(nn.Conv(8, (4, 4), (4, 4))(x))
        return x.mean((1, 2)), nn.Dense(self.n_classes)(x.mean((1, 2)))


def test_a_classifier_learns_attributes(monkeypatch):
    monkeypatch.setattr(attributes, "ResidualCNN", Tiny)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (120, 16, 16, 1), np.uint8)
    bright, there = rng.random((2, 120)) < 0.5
    images[bright] += 100
    known = attributes.fit(
        images, {"bright": bright, "dark": ~bright, "there": there}, steps=200, batch_size=40
    )
    assert known.names == ["bright", "dark", "there"]
    scores = known.scores(images).astype(np.float64)
    assert ((scores[:, 0] > 0.5) == bright).mean() > 0.95
    assert ((scores[:, 1] > 0.5) == ~bright).mean() > 0.95  # attributes do not exclude each other
    assert ((scores[:, 2] > 0.5) == there).mean() < 0.8
    evidence = known.evidence(images)
    assert evidence.shape == (120, 4, 4, 3)
    np.testing.assert_allclose(
        evidence.mean((1, 2)), np.log(scores) - np.log1p(-scores), rtol=0.02, atol=0.02
    )
    with pytest.raises(InputError, match="attributes: expected 120 values of 'x'"):
        attributes.fit(images, {"x": bright[:3]})
    with pytest.raises(InputError, match="images: expected uint8"):
        attributes.fit(images[:, :8], {"x": bright})


def test_layers(network, tmp_path):
    assert find_layer(network) == "BatchNorm_0"
    assert layers(network)["BatchNorm_0"] == (4, 4, 4)
    with pytest.raises(InputError, match="unknown layer 'x'"):
        find_layer(network, "x")
    flat = jaxgan.load(untrained(small(tmp_path, data=digits(tmp_path)), tmp_path / "run").path)
    with pytest.raises(InputError, match="expected a network with maps of units to dissect"):
        find_layer(Network(flat))


def test_silence_and_force(network):
    z, _ = network.drawn(range(6))
    images, maps = maps_of(network, "BatchNorm_0", z, None)
    assert maps.shape == (6, 4, 4, 4)
    none = np.zeros(4)
    np.testing.assert_array_equal(changed_images(network, Units("BatchNorm_0", [], none), z, None), images)
    np.testing.assert_array_equal(images, network.decode(z, None))
    silent = changed_images(network, Units("BatchNorm_0", range(4), none), z, None)
    assert (silent == silent[:1]).all()  # nothing of z is left
    assert (images != images[:1]).any()
    corner = np.zeros((4, 4), bool)
    corner[0, 0] = True
    forced = changed_images(network, Units("BatchNorm_0", [1], np.full(4, 20.0), corner), z, None)
    assert (forced != images).any()
    np.testing.assert_array_equal(forced[:, 4:, 4:], images[:, 4:, 4:])


def bright(images):
    return {"bright": images[..., 0] > 127}


def test_units_by_effect_are_those_that_take_most(network):
    z, _ = network.drawn(range(40))
    names, lost = by_effect(network, "BatchNorm_0", z, None, bright)
    assert names == ["bright"]
    before = bright(network.decode(z, None))["bright"].mean()
    unit = int(lost[:, 0].argmax())
    after = bright(changed_images(network, Units("BatchNorm_0", [unit], np.zeros(4)), z, None))[
        "bright"
    ].mean()
    assert lost[unit, 0] == pytest.approx(1 - after / before)
    assert lost[unit, 0] > 0


def test_effects():
    before = np.zeros((4, 2, 2), bool)
    before[:2] = True
    after = before.copy()
    after[0] = False
    found = effect(before, after)
    assert (found.before, found.after, found.difference, found.images) == (0.5, 0.25, -0.25, 0.5)
    assert found.interval[0] < -0.25 < found.interval[1]
    assert effect(after, before, appears=True).images == pytest.approx(1 / 3)


def test_fixed_concepts_are_not_intervened_on(network):
    segment = concepts.together([bright, concepts.regions])
    found = dissect(network, segment, n=24, units=1)
    assert {x.concept for x in found.interventions} == {"bright"}
    assert {x.how for x in found.interventions} == {"silent", "forced"}
    assert len(found.agreement.concepts) == 10
    assert all(x.iou == found.agreement.iou[x.units, 0].max() for x in found.interventions)
    with pytest.raises(InputError, match="unknown concept 'brigt'; did you mean 'bright'"):
        dissect(network, bright, n=8, concepts=["brigt"])
    with pytest.raises(InputError, match="units: expected .* got 1000"):
        dissect(network, bright, n=8, units=1000)


def test_the_page(run, tmp_path, capsys):
    path, out = str(run.folder.path), tmp_path / "out"
    file = tmp_path / "own.py"
    file.write_text(
        "def parts(images):\n    return {'<bright>': images[..., 0] > 127}\n"
        "def wrong(images):\n    return {'x': images}\n"
        "def fails(images):\n    raise KeyError('no')\n"
        "def some(images, calls=[]):\n    calls.append(1)\n    return {f'{len(calls)}': images[..., 0] > 127}\n"
    )
    options = ["--n", "24", "--units", "2", "--out", str(out)]
    assert main(["dissect", path, *options, "--concepts", f"{file}:parts", "edge", "--choose", "both"]) == 0
    page = (out / "dissection.html").read_text()
    assert "&lt;bright&gt;" in page
    assert "<bright>" not in page
    assert page.count("data:image/png") >= 2
    told = json.loads((out / "dissection.json").read_text())
    assert len(told["units"]) == 4
    assert {x["chosen_by"] for x in told["interventions"]} == {"agreement", "effect"}
    capsys.readouterr()
    for concept, says in (
        (f"{file}:wrong", "expected bool of shape (24, 8, 8) for 'x'"),
        (f"{file}:fails", "raised KeyError"),
        (f"{file}:some", "concepts: expected the same of"),
        (f"{file}:none", "unknown concepts in"),
        ("colr", "unknown concept 'colr'; did you mean 'colour'"),
    ):
        assert main(["dissect", path, *options, "--concepts", concept]) == 2
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1
