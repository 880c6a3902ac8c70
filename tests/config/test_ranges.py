"""Networks are built for the range of the data, which is the modality's, not what their shape suggests."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.apps.anomalies.images import read_images
from jaxgan.common.keys import quick
from jaxgan.config import get_preset, with_fields
from jaxgan.config.fields import from_json, to_json
from jaxgan.config.games.ranges import range_for
from jaxgan.data import Arrays, Modality, Spec, describe
from jaxgan.data.modality import IMAGE
from jaxgan.models import MODELS, DCGANConfig, MLPConfig

SPECTRUM = Modality("spectrum")
WITHIN = dataclasses.replace(SPECTRUM, bounded=True)
FREE = {"mlp", "stylegan2", "stylegan3", "projected", "srresnet"}  # families that make numbers of any size
FAMILY = """
import dataclasses
from jaxgan.models import MLPConfig

@dataclasses.dataclass(frozen=True)
class Silent:
    conditional = convolutional = False

    def build(self, shape, n_classes):
        return MLPConfig(g_widths=(4,), d_widths=(4,)).build(shape, n_classes)

@dataclasses.dataclass(frozen=True)
class Told(Silent):
    def build(self, shape, n_classes, *, bounded=None):
        return MLPConfig(g_widths=(4,), d_widths=(4,)).build(shape, n_classes, bounded=bounded)

@dataclasses.dataclass(frozen=True)
class Free(Silent):
    bounded = False
"""


def source(modality=SPECTRUM, shape=(8, 8, 1), names=("image",)):
    x = np.random.default_rng(0).normal(5, 10, size=(20, *shape)).astype(np.float32)
    return Arrays("spectra", dict.fromkeys(names, x), modality)


def most(game):
    """The largest number that an untrained generator makes of large latents."""
    module, z = game.players[game.output.player].module, 1000 * jax.random.normal(quick(0), (4, 100))
    return float(jnp.abs(module.init_with_output(quick(1), z, None)[0]).max())


def mlp(preset="mlp-mnist", **fields):
    return with_fields(get_preset(preset), **{"latent.dim": 100, **fields})


@pytest.mark.parametrize("shape", [(8, 8, 1), (12,), (4, 5)])
def test_numbers_of_a_multilayer_perceptron_are_bounded_where_the_data_are(shape):
    assert most(mlp().build(source(shape=shape).spec)) > 10
    assert most(mlp().build(source(WITHIN, shape).spec)) <= 1
    assert most(mlp().build((8, 8, 1))) <= 1  # of a bare shape, which is an image's
    assert most(mlp().build((12,))) > 10
    with pytest.raises(InputError, match=r"data_scale: expected 1 for examples in \[-1, 1\], such as images"):
        mlp(**{"model.data_scale": 5.0}).build(source(WITHIN, shape).spec)


def test_encoders_and_critics_of_pairs_are_told_too():
    for preset in ("vae-mnist", "bigan-mnist"):
        config = mlp(preset, model=MLPConfig(data_scale=10.0))
        assert most(config.build(source().spec)) > 10


@pytest.mark.parametrize("name", MODELS)
def test_families_that_make_images_refuse_numbers_without_bounds(name):
    config, spec = MODELS[name](), source().spec
    assert range_for(config, source(WITHIN).spec) in ({}, {"bounded": True})
    if name in FREE:
        assert range_for(config, spec) in ({}, {"bounded": False})
        return
    with pytest.raises(InputError) as error:
        range_for(config, spec)
    assert str(error.value) == (
        "model.name: expected a family that makes numbers of any size, such as mlp or stylegan2, for spectrums, which "
        f"are not bounded, got {name!r}, which makes images in [-1, 1]"
    )


def test_games_of_all_kinds_refuse_them():
    pairs = source(names=("image", "input")).spec
    refused = "model.name: expected a family that makes numbers of any size"
    for preset, spec in (
        ("dcgan-mnist", source().spec),
        ("vae-mnist", source().spec),
        ("fanogan", source().spec),
        ("pix2pix", pairs),
        ("cyclegan", source(names=("a", "b")).spec),
    ):
        with pytest.raises(InputError, match=refused):
            get_preset(preset).build(spec)
    with pytest.raises(InputError, match=refused):
        mlp("vae-mnist", model=DCGANConfig(width=2)).build(source().spec)


def test_families_of_ones_own_are_told_if_they_ask(tmp_path):
    path = tmp_path / "family.py"
    path.write_text(FAMILY)
    plain = to_json(mlp())
    of = lambda name: from_json({**plain, "model": {"name": f"{path}:{name}"}})
    with pytest.raises(InputError, match=r"got '.*family.py:Silent', which makes images in \[-1, 1\]"):
        of("Silent").build(source().spec)
    of("Silent").build(source(shape=(12,)).spec)
    of("Free").build(source().spec)
    assert most(of("Told").build(source().spec)) > 10
    assert most(of("Told").build(source(WITHIN).spec)) <= 1


def test_a_run_remembers_the_range_of_its_data():
    """Also where nothing is known of the modality any more; runs that do not say it were built by shape."""
    for modality in (SPECTRUM, WITHIN, dataclasses.replace(WITHIN, name="point")):
        data = json.loads(json.dumps(describe(source(modality, (4, 5)))))
        assert Spec.from_json(data).modality.bounded == modality.bounded
    data = describe(source())
    del data["bounded"]
    assert Spec.from_json(data).modality.bounded
    assert Spec.from_json({**data, "bounded": False}).modality.bounded is False


def test_only_pictures_are_read_from_files():
    with pytest.raises(InputError, match="run: expected one of images, got one of spectrums"):
        read_images(["nothing"], source().spec)
    with pytest.raises(InputError, match="which does not exist"):
        read_images(["nothing", "more"], Arrays("x", {"image": np.zeros((2, 8, 8, 1), np.uint8)}, IMAGE).spec)
