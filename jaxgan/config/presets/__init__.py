"""The presets: configurations by name, one file a family of networks."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib

from jaxgan.common.errors import lookup
from jaxgan.config.config import Config
from jaxgan.config.presets.base import Preset
from jaxgan.config.presets.biggan import BIGGAN
from jaxgan.config.presets.classic import CLASSIC
from jaxgan.config.presets.resnet import RESNET

PRESETS: dict[str, Preset] = {**CLASSIC, **RESNET, **BIGGAN}
DEFAULT_PRESET = "dcgan-mnist"


def get_preset(name: str) -> Config:
    """The configuration of a preset. Raises InputError naming the nearest if there is none."""
    return dataclasses.replace(lookup("preset", name, PRESETS).build(), preset=name)


@functools.cache
def sizes() -> dict[str, dict[str, dict[str, float]]]:
    """Parameters and operations an image (forward) of every preset's generator and discriminator, as counted.

    The counts are those of `experiments/preset_sizes.py`, for examples of the preset's own shape.
    """
    return json.loads((pathlib.Path(__file__).parent / "sizes.json").read_text())


__all__ = ["BIGGAN", "CLASSIC", "DEFAULT_PRESET", "PRESETS", "RESNET", "Preset", "get_preset", "sizes"]
