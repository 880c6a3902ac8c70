"""Options of augmentations, and the presets for little data."""

import dataclasses

import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.config import get_preset, with_fields
from jaxgan.config.presets import LITTLE_DATA


def game(name="toy-ring", **fields):
    shape = (2,) if name == "toy-ring" else (32, 32, 3)
    return with_fields(get_preset(name), **fields).build(shape)


def test_each_option_reaches_the_augmentations_that_have_it():
    options = (("images", 1000.0), ("interval", 3.0), ("start", 0.25), ("color", 0.0))
    memory = game("dcgan-cifar10-sn", augment=("apa", "ada", "diffaugment"), augment_options=options).memory
    assert {"augment/apa", "augment/ada", "augment/diffaugment"} <= set(memory)
    for name in ("apa", "ada"):
        assert float(memory[f"augment/{name}"]()["p"]) == 0.25
    assert memory["augment/diffaugment"]() == ()


@pytest.mark.parametrize(
    ("augment", "options", "message"),
    [
        (("ada",), (("colour", 1.0),), "unknown option of the augmentations 'colour'; did you mean 'color'"),
        ((), (("color", 1.0),), "color: expected no option of the augmentations, as there are none, got one"),
        (("ada",), (("interval", 1.5),), "interval: expected a whole number, got 1.5"),
        (("ada",), (("noise", -1.0),), "noise: expected at least 0, got -1"),
        (("adaptive",), (("augment", 1.0),), "augment: expected an option of adaptive that is a number"),
    ],
)
def test_other_options_are_refused(augment, options, message):
    with pytest.raises(InputError, match=message):
        game("dcgan-cifar10-sn", loss="hinge", augment=augment, augment_options=options)


def test_presets_for_little_data_differ_in_their_technique_alone():
    plain = get_preset("dcgan-cifar10-sn")
    for name in LITTLE_DATA:
        config = get_preset(name)
        same = dataclasses.replace(config, preset=plain.preset, penalty=plain.penalty, augment=plain.augment)
        assert same == plain
        assert (config == plain) == (name == plain.preset)


def test_weights_are_the_published_ones():
    weights = {
        name: dict(get_preset(f"dcgan-cifar10-{name}").penalty.weights) for name in ("cr", "icr", "lecam")
    }
    assert weights["cr"] == {"consistency": 10}
    assert weights["icr"] == {"balanced_consistency": 10, "latent_consistency": 1}
    assert weights["lecam"] == {"lecam": 0.3}
    built = get_preset("dcgan-cifar10-lecam").penalty.build(10, 4)
    assert np.isclose(built["lecam"][0], 0.3)
