"""Blocks that are computed again on the way back: the same values, in less memory."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import shallow_eyes

from jaxgan import InputError, init, make_step
from jaxgan.config import ComputeConfig, Config, LatentConfig
from jaxgan.games.game import with_remat
from jaxgan.models import (
    BigGANConfig,
    DCGANConfig,
    FastGANConfig,
    GATConfig,
    MLPConfig,
    ProGANConfig,
    ProjectedConfig,
    R3GANConfig,
    ResNetConfig,
    StyleGAN2Config,
    StyleGAN3Config,
)

SMALL = {  # family -> networks, side of the images
    "resnet": (ResNetConfig(width=2), 8),
    "biggan": (BigGANConfig(width=2, conditional=False, hierarchical=False), 8),
    "biggan-deep": (BigGANConfig(width=2, conditional=False, hierarchical=False, deep=True), 8),
    "progan": (ProGANConfig(width=4, base=32), 8),
    "stylegan2": (StyleGAN2Config(base=32, most=4, style=4, mapping_layers=1), 8),
    "stylegan3": (StyleGAN3Config(base=32, most=2, style=4, layers=4, margin=2), 16),
    "fastgan": (FastGANConfig(width=2), 32),
    "projected": (ProjectedConfig(width=2, lite=True, mixing=2, input_size=128, weights="random"), 32),
    "r3gan": (R3GANConfig(width=4, cardinality=2, blocks=1), 8),
    "gat": (GATConfig(width=8, depth=4, heads=2), 8),
}
WITHOUT = {"mlp": MLPConfig(), "dcgan": DCGANConfig()}


def game_of(model, **compute):
    return Config(model=model, latent=LatentConfig(dim=4), compute=ComputeConfig(**compute))


def slopes(module, x, n_outputs):
    """Value of a function of the network's answer, its gradients, and what is lowered."""
    keys = {"keys": jax.random.split(jax.random.key(3), len(x))}
    takes = keys if "keys" in module.__call__.__code__.co_varnames else {}
    variables = jax.jit(lambda x: module.init(jax.random.key(0), x, train=True, **takes))(x)
    params = {"params": variables["params"]}
    others = {name: value for name, value in variables.items() if name != "params"}

    def value(params, x):
        out = module.apply({**params, **others}, x, train=True, mutable=list(others), **takes)
        return jnp.sin(out[0]).sum(), out[1]

    return variables, jax.value_and_grad(value, (0, 1), has_aux=True), (params, x)
