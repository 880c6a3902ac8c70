"""InfoGAN: a generator whose codes can be read off what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.games.game import Batch, Critic, Game, Moves, Output, Player, Turn
from jaxgan.games.view import View
from jaxgan.losses import Loss
from jaxgan.models.latents import Latent

REACH = 2.0  # of a traversal, in which codes of training are in [-1, 1]


def coded(noise: Latent, categories: int, continuous: int) -> Latent:
    """The prior of InfoGAN's latents: one of `categories`, as a one-hot vector, uniform codes in [-1, 1], and noise.

    Args:
      noise: prior of what is no code.
      categories: of the discrete code, at least 2.
      continuous: number of continuous codes.

    Returns:
      A prior of categories + continuous + noise.dim coordinates, in this order.

    Raises:
      ValueError: for numbers out of range.
    """
    check_range("categories", categories, at_least=2)
    check_range("continuous", continuous, at_least=0)

    def draw(key: jax.Array) -> jax.Array:
        of_category, of_codes, of_noise = jax.random.split(key, 3)
        category = jax.nn.one_hot(jax.random.randint(of_category, (), 0, categories), categories)
        codes = jax.random.uniform(of_codes, (continuous,), minval=-1.0, maxval=1.0)
        return jnp.concatenate([category, codes, noise.draw(of_noise)])

    return Latent(categories + continuous + noise.dim, draw)


@dataclass(frozen=True)
class _Told:
    """What the players of `infogan` minimise."""

    loss: Loss
    latent: Latent
    categories: int
    continuous: int
    info: Any
    info_continuous: Any
    example: str

    def played(self, view: View) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Logits of reals and of fakes, and minus the information of the codes, weighed."""
        z = self.latent.sample(view.keys("latents"), view.n)
        real = view("discriminator", view.batch[self.example])
        fake, features = view("discriminator", view("generator", z, None), features=True)
        believed, means = view("recogniser", features)
        first, last = self.categories, self.categories + self.continuous
        category = -(jax.nn.log_softmax(believed) * z[:, :first]).sum(1).mean()
        codes = 0.5 * jnp.square(means - z[:, first:last]).sum(1).mean()
        unsaid = self.info * view.log("category", category) + self.info_continuous * view.log("codes", codes)
        return view.gathered(real), view.gathered(fake), unsaid

    def judge(self, view: View) -> jax.Array:
        """The loss of discriminator and recogniser."""
        real, fake, unsaid = self.played(view)
        return self.loss.discriminator(real, fake).mean() + unsaid

    def forge(self, view: View) -> jax.Array:
        """The loss of the generator."""
        real, fake, unsaid = self.played(view)
        return self.loss.generator(real, fake).mean() + unsaid


def _seen_by(discriminator: Player, x: jax.Array) -> tuple[int, ...]:
    """Shape of the features of examples like x."""
    answer = lambda key: discriminator.module.init_with_output(
        key, jnp.zeros(x.shape), train=True, features=True
    )
    _, features = jax.eval_shape(answer, jax.random.key(0))[0]
    return features.shape


def infogan(
    generator: Player,
    discriminator: Player,
    recogniser: Player,
    loss: Loss,
    noise: Latent,
    *,
    categories: int = 10,
    continuous: int = 2,
    info: Any = 1.0,
    info_continuous: Any = 0.1,
    moves: Moves = Moves(),  # noqa: B008  (frozen)
    example: str = "image",
) -> Game:
    """A GAN whose generator keeps the mutual information of its codes and its images high. Two turns.

    The recogniser reads the codes off the discriminator's features, and moves with it. All three minimise minus the
    variational bound of the information: a cross-entropy for the category, and half a squared error for each continuous
    code (a normal distribution of deviation 1 about the answer). Metrics: "d/category" and "g/category" (nats),
    "d/codes" and "g/codes", and the losses.

    Args:
      generator: module (z, label, train) -> x, averaged, where z is of `coded`.
      discriminator: module (x, train, features) -> logits, and with features=True (logits, features).
      recogniser: module (features, train) -> (logits of categories, means of codes).
      loss: of discriminator and generator.
      noise: prior of what is no code.
      categories: of the discrete code.
      continuous: number of continuous codes.
      info: weight of the discrete code's information.
      info_continuous: weight of the continuous codes'.
      moves: how the players move.
      example: name of the array in the batch that is imitated.

    References:
      Chen et al. (2016), InfoGAN: interpretable representation learning by information maximizing generative
      adversarial nets, eq. 6 and appendix C.1.
    """
    latent = coded(noise, categories, continuous)
    own = _Told(loss, latent, categories, continuous, info, info_continuous, example)

    def inputs(batch: Batch) -> Mapping[str, tuple[Any, ...]]:
        x = batch[example][:2]
        z, seen = jnp.zeros((2, latent.dim)), jnp.zeros(_seen_by(discriminator, x))
        return {"generator": (z, None), "discriminator": (x,), "recogniser": (seen,)}

    return Game(
        players={"generator": generator, "discriminator": discriminator, "recogniser": recogniser},
        turns=(
            Turn("d", ("discriminator", "recogniser"), own.judge),
            Turn("g", ("generator",), own.forge),
        ),
        inputs=inputs,
        moves=moves,
        output=Output("generator", latent),
        critic=Critic(loss, lambda view: own.played(view)[:2]),
        compares=lambda: not loss.alone,
        walks=lambda: traversals(latent, categories, continuous),
    )


def traversals(latent: Latent, categories: int, continuous: int) -> tuple[np.ndarray, int]:
    """Latents of a picture that shows what codes do, and how many of them stand in a row.

    The first rows go through the categories, each with noise of its own. Then one row for each continuous code takes
    it from -2 to 2, for each of three categories in turn; all else of a row stays.
    """
    base = np.array(latent.sample(jax.random.key(0), 3 + 3 * max(continuous, 1)))
    codes = slice(categories, categories + continuous)
    rows = []
    for own in base[:3]:
        row = np.repeat(own[None], categories, 0)
        row[:, :categories], row[:, codes] = np.eye(categories), 0.0
        rows.append(row)
    for code in range(continuous):
        for i in range(3):
            row = np.repeat(base[3 + i][None], categories, 0)
            row[:, :categories], row[:, codes] = np.eye(categories)[i * categories // 3], 0.0
            row[:, categories + code] = np.linspace(-REACH, REACH, categories)
            rows.append(row)
    return np.concatenate(rows).astype(np.float32), categories
