"""Networks that images are compared by: shapes that fit what is read, gradients that reach the images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from helpers import shallow_eyes, some

from jaxgan import InputError
from jaxgan.config import get_preset, with_fields
from jaxgan.config.games import spec_for
from jaxgan.metrics.features import own
from jaxgan.metrics.features.maps import MAPS, maps_for
from jaxgan.models.pretrained import efficientnet
from jaxgan.models.pretrained.frozen import Frozen
from jaxgan.models.projected import Discriminator


def difference(maps, variables, x, y):
    return sum(
        jnp.abs(a - b).mean() for a, b in zip(maps.look(variables, x), maps.look(variables, y), strict=True)
    )


@pytest.mark.parametrize(
    ("name", "file"), [("mnist_cnn", ""), ("random_cnn", ""), ("efficientnet_lite0", "random")]
)
def test_gradients_reach_the_images(name, file):
    with shallow_eyes():
        maps = maps_for(name, (28, 28, 1), file)
        variables = maps.read()
        same = jax.tree.map(
            lambda x, like: x.shape == like.shape and x.dtype == like.dtype, variables, maps.shapes()
        )
        assert all(jax.tree.leaves(same))
        draw = np.random.default_rng(0)
        x, y = (jnp.asarray(draw.uniform(-1, 1, (1, 28, 28, 1)), jnp.float32) for _ in range(2))
        value, slope = jax.jit(jax.value_and_grad(lambda x: difference(maps, variables, x, y)))(x)
    assert value > 0
    assert np.isfinite(slope).all()
    assert np.abs(slope).max() > 0


COLOURED = [name for name in MAPS if name != "mnist_cnn"]


@pytest.mark.parametrize("name", some(COLOURED, *(name for name in COLOURED if name != "dinov2_vitl14")))
def test_all_networks_take_grey_images_and_colours(name):
    """A slope in the grey ones is one in the colours that they are made to, except where kernels are drawn for each."""
    for channels in (1, 3):
        sloped = channels == 1 or name == "random_cnn"
        maps = maps_for(name, (32, 32, channels))
        images = jax.ShapeDtypeStruct((2, 32, 32, channels), jnp.float32)
        value = lambda x, variables, maps=maps: difference(maps, variables, x, jnp.zeros(x.shape))
        out = jax.eval_shape(jax.grad(value) if sloped else value, images, maps.shapes())
        assert out.shape == (images.shape if sloped else ())


def test_published_weights_are_had_before_a_run_is_made(monkeypatch):
    """By a player of Flax, within which other modules must not take it for their parent."""
    with shallow_eyes():
        efficientnet.pretrained.cache_clear()
        given = efficientnet.shapes()
        flat = flatten_dict(given, sep="/")
        monkeypatch.setattr(
            efficientnet,
            "load",
            lambda *_: ({name: np.ones(x.shape, x.dtype) for name, x in flat.items()}, ""),
        )
        maps = maps_for("efficientnet_lite0", (32, 32, 3))
        Frozen(maps.look, maps.read, maps.shapes).prepare()
        efficientnet.pretrained.cache_clear()
        Discriminator(weights="").prepare()
        assert jax.tree.map(np.shape, efficientnet.pretrained()) == jax.tree.map(lambda x: x.shape, given)
    efficientnet.pretrained.cache_clear()


def test_a_function_of_the_users_own(tmp_path):
    (tmp_path / "eyes.py").write_text(
        "def look(images):\n    return {'edges': images[:, 1:] - images[:, :-1]}\nx = 3\n"
    )
    maps = maps_for(f"{tmp_path}/eyes.py:look", (4, 4, 1))
    (edges,) = maps.look(maps.read(), jnp.ones((2, 4, 4, 1)))
    np.testing.assert_array_equal(edges, np.zeros((2, 3, 4, 1)))
    with pytest.raises(InputError, match="features: expected a function images -> features, got int"):
        maps_for(f"{tmp_path}/eyes.py:x", (4, 4, 1))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("vgg", (28, 28, 1)), "unknown features 'vgg'"),
        (("mnist_cnn", (32, 32, 1)), "features: mnist_cnn expects images"),
        (("inception", (32, 32, 4)), "features: inception expects images of 1 or 3 channels"),
        (("random_cnn", (3, 8, 1)), "features: random_cnn expects images of 4 pixels a side or more"),
        (("random_cnn", (8, 8, 1), "x.pth"), "weights: features 'random_cnn' have none to be given"),
    ],
)
def test_what_does_not_fit_is_one_line(args, says):
    with pytest.raises(InputError, match=says):
        maps_for(*args)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "inception", "dinov2_vits14"])
def test_weights_that_cannot_be_had_name_the_option_that_there_is(name, cache, monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("offline")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    config = with_fields(get_preset("restore-28"), **{
        "game_options": (("perceptual", 1.0), ("features", name)),
    })  # fmt: skip
    game = config.build(spec_for(config, (28, 28, 1)))
    (eyes,) = (player.module for player in game.players.values() if isinstance(player.module, Frozen))
    with pytest.raises(
        InputError, match=r"cannot download .*; put the file at .*: --game-options weights FILE$"
    ):
        eyes.prepare()
    with pytest.raises(InputError, match=r"or name a copy of it: --weights FILE$"):
        maps_for(name, (32, 32, 3)).read()


def test_names_in_a_file_of_ones_own_are_those_of_functions(tmp_path):
    (tmp_path / "own.py").write_text("SIZE = 3\n\ndef features(images):\n    return images\n")
    (tmp_path / "none.py").write_text("SIZE = 3\n")
    for ask in (lambda name: maps_for(name, (8, 8, 1)), own.load):
        with pytest.raises(InputError, match="known: features$"):
            ask(f"{tmp_path}/own.py:featres")
        with pytest.raises(InputError, match="'x'; the file defines none$"):
            ask(f"{tmp_path}/none.py:x")


def test_weights_that_are_not_there_are_one_line(tmp_path):
    with pytest.raises(InputError, match="expected a file of weights, there is none at"):
        maps_for("efficientnet_lite0", (32, 32, 3), str(tmp_path / "no.pth")).read()
