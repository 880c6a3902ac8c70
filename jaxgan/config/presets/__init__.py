"""The presets: configurations by name, one file a family of networks."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib

from jaxgan.common.errors import unknown
from jaxgan.config.config import Config
from jaxgan.config.presets.base import Preset
from jaxgan.config.presets.biggan import BIGGAN
from jaxgan.config.presets.classic import CLASSIC
from jaxgan.config.presets.encoding import ENCODING
from jaxgan.config.presets.fastgan import FASTGAN
from jaxgan.config.presets.gat import GAT
from jaxgan.config.presets.little_data import LITTLE_DATA
from jaxgan.config.presets.progan import PROGAN
from jaxgan.config.presets.r3gan import R3GAN
from jaxgan.config.presets.resnet import RESNET
from jaxgan.config.presets.restoration import RESTORATION
from jaxgan.config.presets.stylegan2 import STYLEGAN2
from jaxgan.config.presets.stylegan3 import STYLEGAN3

PRESETS: dict[str, Preset] = {
    **CLASSIC,
    **RESNET,
    **BIGGAN,
    **PROGAN,
    **STYLEGAN2,
    **STYLEGAN3,
    **LITTLE_DATA,
    **FASTGAN,
    **R3GAN,
    **GAT,
    **ENCODING,
    **RESTORATION,
}
DEFAULT_PRESET = "dcgan-mnist"
LISTED = "`jaxgan presets` lists the presets"


def get_preset(name: str) -> Config:
    """The configuration of a preset. Raises InputError naming the nearest if there is none."""
    return dataclasses.replace(find_preset(name).build(), preset=name)


def find_preset(name: str) -> Preset:
    """All that is known of a preset. Raises InputError naming the nearest if there is none."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS, where=LISTED)
    return PRESETS[name]


@functools.cache
def sizes() -> dict[str, dict[str, dict[str, float]]]:
    """Parameters and operations an image (forward) of every preset's generator and discriminator, as counted.

    The counts are those of `experiments/preset_sizes.py`, for examples of the preset's own shape.
    """
    return json.loads((pathlib.Path(__file__).parent / "sizes.json").read_text())


__all__ = [
    "BIGGAN",
    "CLASSIC",
    "DEFAULT_PRESET",
    "ENCODING",
    "FASTGAN",
    "GAT",
    "LISTED",
    "LITTLE_DATA",
    "PRESETS",
    "PROGAN",
    "R3GAN",
    "RESNET",
    "RESTORATION",
    "STYLEGAN2",
    "STYLEGAN3",
    "Preset",
    "find_preset",
    "get_preset",
    "sizes",
]
