"""Reads layers.json and its like: what reference implementations make of small inputs, by name."""

import functools
import json
import pathlib

import numpy as np

READ = set()  # the cases that the test which runs has read


def case(name, file="layers"):
    """Inputs and output (an array, or a dictionary) of the case `name`."""
    found = cases(file)[name]
    output = found["output"]
    return found["inputs"], output if isinstance(output, dict) else np.asarray(output, np.float32)


class _Told(dict):
    """Cases by name, that note which of them are read."""

    def __init__(self, file, cases):
        super().__init__(cases)
        self.file = file

    def __getitem__(self, name):
        found = super().__getitem__(name)
        if isinstance(found, dict) and "output" in found:  # and not an input that cases share
            READ.add(f"{self.file}:{name}")
        return found


@functools.cache
def cases(file):
    """All cases of a file."""
    return _Told(file, json.loads((pathlib.Path(__file__).parent / f"{file}.json").read_text()))


def nhwc(x):
    """Images NCHW as NHWC."""
    return np.moveaxis(np.asarray(x, np.float32), 1, -1)


def hwio(kernel):
    """Kernels OIHW as HWIO."""
    return np.asarray(kernel, np.float32).transpose(2, 3, 1, 0)


def dense(kernel, bias):
    """Parameters of a dense layer, of a kernel outputs x inputs."""
    return {"kernel": np.asarray(kernel, np.float32).T, "bias": np.asarray(bias, np.float32)}
