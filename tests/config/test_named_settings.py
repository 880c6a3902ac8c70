"""Messages name a setting as a user types it: with its group, as of --model.attention."""

import pytest

from jaxgan import InputError
from jaxgan.config import get_preset, with_fields
from jaxgan.train.members import set_up

MNIST, CIFAR = (28, 28, 1), (32, 32, 3)


@pytest.mark.parametrize(
    ("preset", "shape", "fields", "name"),
    [
        ("sagan-cifar10", CIFAR, {"model.attention": 12, "model.conditional": False}, "model.attention"),
        ("gat-pixels-64", CIFAR, {"model.patch": 5}, "model.patch"),
        ("fastgan-256", MNIST, {}, "data.resolution"),
        ("stylegan3-t-256", (100, 90, 3), {}, "data.resolution"),
        ("progan-cifar10", CIFAR, {"model.start": 0}, "model.start"),
        ("dcgan-cifar10-ada", CIFAR, {"augment_options": (("color", -1.0),)}, "augment_options.color"),
        ("dcgan-cifar10-ada", (8, 8, 3), {"augment_options": (("filter", 1.0),)}, "augment_options.filter"),
        ("dcgan-cifar10-ada", CIFAR, {"augment_options": (("target", 2.0),)}, "augment_options.target"),
        ("wgan-gp-mnist", MNIST, {"penalty.target": -1.0}, "penalty.target"),
        ("dcgan-cifar10-icr", CIFAR, {"penalty.options": (("radius", -1.0),)}, "penalty.options.radius"),
        ("dcgan-mnist", MNIST, {"latent.dim": 0}, "latent.dim"),
        ("dcgan-mnist", MNIST, {"ema.decay": 1.0}, "ema.decay"),
        ("dcgan-mnist", MNIST, {"dynamics.unroll": -1}, "dynamics.unroll"),
        ("dcgan-mnist", MNIST, {"dynamics.label_flip": 1.0}, "dynamics.label_flip"),
        ("stylegan2-cifar10", CIFAR, {"dynamics.unroll": 1}, "penalty.own_updates"),
        ("projected-gan-256", (256, 256, 4), {}, "data.channels"),
        ("mlp-mnist", MNIST, {"penalty.weights": (("auxiliary_classifier", 1.0),)}, "auxiliary_classifier"),
    ],
)
def test_a_setting_is_named_with_its_group(preset, shape, fields, name):
    with pytest.raises(InputError) as refused:
        with_fields(get_preset(preset), **fields).build(shape)
    assert str(refused.value).startswith(f"{name}: expected"), refused.value


def test_what_is_found_while_a_step_is_traced_is_named_so_too():
    fields = {"penalty.weights": (("path_length", 1.0),), "penalty.options": (("shrink", 7.0),)}
    fields |= {
        "penalty.schedule": "constant",
        "batch_size": 8,
        "model.g_widths": (4,),
        "model.d_widths": (4,),
    }
    found = set_up(with_fields(get_preset("toy-ring"), **fields))
    with pytest.raises(InputError, match=r"^penalty\.options\.shrink: expected a divisor of the 8 examples"):
        found.advance(found.init(), found.inputs(0))


def test_labels_that_are_missed_are_those_of_a_conditional_model():
    with pytest.raises(InputError, match=r"^model\.conditional: expected data with class labels"):
        get_preset("cdcgan-mnist").build(MNIST)
