"""Small games whose course can be written down, and what tests of them share."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from helpers import stream_keys

from jaxgan import GAN, Moves, Player, ema_schedule
from jaxgan.augment import adaptive, apa, instance_noise
from jaxgan.games import bigan, cycle_gan, many_critics, vae_gan
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
    return {"image": np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)}


def latents(state, draw, n, dim=1):
    return get_latent("normal", dim).sample(stream_keys(state, draw, "latents", n), n)


def in_float64(tree):
    """By NumPy."""
    floating = lambda x: jnp.issubdtype(x.dtype, jnp.floating)
    return jax.tree.map(lambda x: np.asarray(x, np.float64) if floating(x) else x, tree)


def floats(tree):
    return [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]


def compiled(function):
    """Little optimised: what takes long here is the compiler."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


# --- recipes: every kind of game on points ---


class Net(nn.Module):
    """A fully connected network of all its inputs, for players of any kind."""

    outputs: int
    gives: str = "vector"
    width: int = 48

    @nn.compact
    def __call__(self, *inputs, train=False, features=False):
        h = jnp.concatenate([x for x in inputs if x is not None], -1)
        for _ in range(2):
            h = nn.leaky_relu(nn.Dense(self.width)(h), 0.2)
        y = nn.Dense(self.outputs)(h)
        if self.gives == "mean and log-variance":
            return jnp.split(y, 2, -1)
        return {"vector": y, "logits": y[:, 0], "logits and features": (y[:, 0], h)}[self.gives]


class Warp(nn.Module):
    """A translator that starts near the identity."""

    @nn.compact
    def __call__(self, x, train=False):
        return x + Net(2)(x)


RATE = 2e-3


def player(module, average=None, optimizer=None):
    return Player(module, optimizer or optax.adam(RATE, 0.5, 0.99), average)


def averaged(outputs, optimizer=None):
    return player(Net(outputs), ema_schedule(0.99), optimizer)


def ring(key, n, modes=8):
    angle_key, noise_key = jax.random.split(key)
    angle = jax.random.randint(angle_key, (n,), 0, modes) * 2 * jnp.pi / modes
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1) + 0.03 * jax.random.normal(noise_key, (n, 2))


def rings(i, n=128):
    """Batch i of points on a ring."""
    return {"image": ring(jax.random.fold_in(jax.random.key(1), i), n)}


def domains(i, n=128):
    """Batch i of two domains without pairs: a square's corners, and the same turned, stretched and moved."""
    keys = jax.random.split(jax.random.fold_in(jax.random.key(2), i))
    return {"a": ring(keys[0], n, 4), "b": to_b(ring(keys[1], n, 4))}


def to_b(a):
    return a @ jnp.asarray([[1.2, 0.9], [-0.9, 1.2]]) + jnp.asarray([0.5, -0.3])


def recipes(optimizer=None):
    """Name -> (game, i -> batch)."""
    loss, latent = LOSSES["non_saturating"](), get_latent("normal", 2)
    plain, critic = (
        lambda *args: player(Net(*args), None, optimizer),
        player(Net(1, "logits"), None, optimizer),
    )
    warp, both = player(Warp(), None, optimizer), averaged(2, optimizer)
    of_gan = lambda **options: GAN(
        Net(2),
        Net(1, "logits"),
        loss,
        critic.optimizer,
        critic.optimizer,
        latent,
        reuse_fakes=True,
        **options,
    )
    shift = lambda keys, x: x + 0.3 * jax.vmap(lambda key: jax.random.normal(key, x.shape[1:]))(keys)
    return {
        "cycle_gan": (cycle_gan(warp, warp, critic, critic, loss, cycle=2.0), domains),
        "bigan": (bigan(both, plain(2), critic, loss, latent), rings),
        "vae_gan": (
            vae_gan(
                plain(4, "mean and log-variance"),
                both,
                plain(1, "logits and features"),
                loss,
                latent,
                prior=0.01,
            ),
            rings,
        ),
        "path length": (of_gan(penalties={"path_length": (0.02, get_penalty("path_length"))}), rings),
        "adaptive": (of_gan(augment={"ada": adaptive(shift, images=3000, interval=2)}), rings),
        "apa": (of_gan(augment={"apa": apa(images=3000, interval=2, start=0.4)}), rings),
        "two critics": (many_critics(both, [critic, critic], loss, latent), rings),
    }
