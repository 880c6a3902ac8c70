"""Reads layers.json and resnet.json: what reference implementations of layers make of small inputs, by name."""

import json
import pathlib

import jax.numpy as jnp
import numpy as np

_FILES = ("layers.json", "resnet.json")
_CASES = {
    name: own
    for file in _FILES
    for name, own in json.loads((pathlib.Path(__file__).parent / file).read_text()).items()
}


def case(name):
    """Inputs and output (an array, or a dictionary) of the case `name`."""
    output = _CASES[name]["output"]
    return _CASES[name]["inputs"], output if isinstance(output, dict) else np.asarray(output, np.float32)


def nhwc(x):
    """Images NCHW as NHWC."""
    return jnp.moveaxis(jnp.asarray(x, jnp.float32), 1, -1)


def hwio(kernel):
    """Kernels OIHW as HWIO."""
    return jnp.asarray(kernel, jnp.float32).transpose(2, 3, 1, 0)
