"""Settings of presets that their sources give and a default would not."""

import functools

import pytest

from jaxgan.augment import AUGMENTATIONS, ada_scheduled
from jaxgan.config import PRESETS, get_preset, with_fields
from jaxgan.train.resume import scheduled

STUDIOGAN = ("csngan-cifar10", "sagan-cifar10", "biggan-32", "biggan-deep-32")


@pytest.mark.parametrize("name", STUDIOGAN)
def test_adam_of_studiogan_has_an_eps_of_its_own(name):
    config = get_preset(name)
    assert {group.eps for group in (config.g_optimizer, config.d_optimizer)} == {1e-6}
    assert config.data.flip


@pytest.mark.parametrize(
    "name",
    [
        "wgan-gp-cifar10",
        "cwgan-gp-cifar10",
        *(name for name in PRESETS if name.startswith("sngan")),
        "sagan-128",
        *(name for name in PRESETS if name.startswith("biggan") and not name.endswith("-32")),
    ],
)
def test_what_was_trained_without_mirrored_images_is(name):
    """The code of WGAN-GP, mimicry, and the BigGAN-PyTorch of BigGAN's author do not mirror."""
    assert not get_preset(name).data.flip


def test_progressive_gan_on_cifar10_prefers_steep_critics():
    """(||grad D|| - 750)^2 / 750^2, in appendix D and the authors' code: this data set alone."""
    penalty = get_preset("progan-cifar10").penalty
    assert penalty.target == 750
    assert dict(penalty.weights) == {"gradient_penalty": pytest.approx(10 / 750**2), "drift": 0.001}
    for name in ("progan-128", "progan-256", "progan-1024"):
        assert get_preset(name).penalty.target == 1
        assert dict(get_preset(name).penalty.weights) == {"gradient_penalty": 10, "drift": 0.001}


@pytest.mark.parametrize("name", ["fastgan-256", "fastgan-1024"])
def test_fastgan_cuts_nothing_out(name):
    """DiffAugment's colour and translation alone."""
    preset = PRESETS[name]
    config = with_fields(preset.build(), **{"model.width": 1})
    seen = config.build(preset.shape).memory
    assert dict(config.augment_options) == {"cutout": 0.0}
    assert "augment/diffaugment" in seen


@pytest.mark.parametrize("name", ["projected-gan-256", "projected-gan-lite-256"])
def test_the_average_of_projected_gans_is_stylegans(name):
    """Half-life of batch * 10 / 32 thousand images, and at most 0.05 of those seen."""
    ema = get_preset(name).ema
    assert (ema.half_life, ema.half_life_ramp) == (20, 0.05)


def test_lecam_has_the_authors_code_as_its_weight_does():
    assert dict(get_preset("dcgan-cifar10-lecam").penalty.options)["rectified"] == 1


@pytest.mark.parametrize(
    ("fields", "steps"),
    [
        ({}, 39_062),
        ({"batch_size": 64}, 312_500),
        ({"batch_size": 64, "d_steps": 2}, 156_250),
        ({"schedule_kimg": 0.0, "steps": 700}, 700),
        ({"augment_options": (("steps", 0.0),)}, 0),
    ],
)
def test_the_strength_of_r3gans_augmentation_rises_as_the_other_schedules_go(fields, steps, monkeypatch):
    """Over the same images, whatever the batch size; steps of its own go before."""
    built = []

    @functools.wraps(ada_scheduled)
    def noted(**options):
        built.append(options)
        return ada_scheduled(**options)

    monkeypatch.setitem(AUGMENTATIONS, "ada_scheduled", noted)
    small = {"model.width": 8, "model.cardinality": 8, "model.conditional": False}
    with_fields(get_preset("r3gan-cifar10"), **small, **fields).build((32, 32, 3))
    assert [options["steps"] for options in built] == [steps]


def test_a_strength_that_goes_with_the_run_is_among_what_a_resumed_run_cannot_change():
    plain = get_preset("dcgan-cifar10-sn")
    over_the_run = with_fields(plain, augment=("ada_scheduled",))
    assert scheduled(over_the_run) == ["augment ada_scheduled"]
    assert not scheduled(with_fields(over_the_run, augment_options=(("steps", 9.0),)))
    assert not scheduled(with_fields(over_the_run, schedule_kimg=10.0))


@pytest.mark.parametrize("name", PRESETS)
def test_published_scores_say_how_they_were_taken(name):
    """The number of images, whether latents were truncated, or that there is no score."""
    said = PRESETS[name].published
    taken = ("000", "images", "none", "no score", "pictures of", "table", "50k", "truncation")
    assert not said or any(word in said for word in taken), said
