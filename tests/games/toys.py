"""Small games whose course can be written down, and what tests of them share."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from helpers import stream_keys

from jaxgan import GAN, Moves
from jaxgan.augment import instance_noise
from jaxgan.losses import LOSSES
from jaxgan.models.latents import get_latent
from jaxgan.penalties import get_penalty

MOVES = ("updates", "unroll", "consensus", "lookahead")
H = 0.2  # the learning rate of the small games


class Point(nn.Module):
    """G(z) = theta."""

    @nn.compact
    def __call__(self, z, label=None, *, train=False):
        return 0 * z + self.param("theta", nn.initializers.ones, ())


class Slope(nn.Module):
    """D(x) = psi x, coordinates summed."""

    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        return self.param("psi", nn.initializers.ones, ()) * x.sum(1)


class Gain(nn.Module):
    """G(z) = a z."""

    @nn.compact
    def __call__(self, z, label=None, *, train=False):
        return 2.0 * self.param("a", nn.initializers.ones, ()) * z


class Line(nn.Module):
    """D(x) = psi x + b."""

    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        return nn.Dense(1)(x)[:, 0]


class Smooth(nn.Module):
    """A hidden layer of tanh, with batch normalisation or without; one output is squeezed."""

    outputs: int
    norm: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        x = nn.Dense(4)(x)
        if self.norm:
            axis_name = None if self.is_initializing() else self.axis_name
            x = nn.BatchNorm(use_running_average=not train, momentum=0.9, axis_name=axis_name)(x)
        x = nn.Dense(self.outputs)(nn.tanh(x))
        return x[:, 0] if self.outputs == 1 else x


DIRAC = (Point(), Slope())


def game(loss="wasserstein", players=DIRAC, g_rate=H, d_rate=H, dim=1, options=(), **dynamics):
    """A GAN by plain descent; `dynamics` go to the moves, to what the critic sees, or to the GAN, by name."""
    moves = {name: dynamics.pop(name) for name in MOVES if name in dynamics}
    if "instance_noise" in dynamics:
        dynamics["augment"] = {"noise": instance_noise(dynamics.pop("instance_noise"))}
    plain = {"g_optimizer": optax.sgd(g_rate), "d_optimizer": optax.sgd(d_rate), "loss": LOSSES[loss]()}
    plain |= {"latent": get_latent("normal", dim), "moves": Moves(**moves)} | dynamics
    return GAN(*players, **(plain | dict(options)))


def smooth(**changes):
    return game("non_saturating", (Smooth(2), Smooth(1)), 1.0, 0.25, 3, **changes)


def penalised(name, weight=1.0, **more):
    return {"penalties": {name: (weight, get_penalty(name))}, **more}


def zeros(n=4):
    return {"image": jnp.zeros((n, 1), jnp.float32)}


def points(n=6, dim=2, seed=0):
    return {"image": jnp.asarray(np.random.default_rng(seed).normal(size=(n, dim)), jnp.float32)}


def latents(state, draw, n, dim=1):
    return get_latent("normal", dim).sample(stream_keys(state, draw, "latents", n), n)


def in_float64(tree):
    return jax.tree.map(lambda x: x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)


def floats(tree):
    return [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]


def compiled(function):
    """Little optimised: what takes long here is the compiler."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})
