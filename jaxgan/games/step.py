"""One step of adversarial training: algorithm 1 of Goodfellow et al. (2014), as a pure function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan.augment import seen
from jaxgan.common import keys
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.games import moves as dynamics
from jaxgan.games.game import GAN, GANState, Player

Batch = Mapping[str, jax.Array]
Metrics = dict[str, jax.Array]
Step = Callable[..., tuple[GANState, Metrics]]

_NOISE = 1 << 16  # streams of random numbers that only some dynamics draw from: apart from all others


def make_step(gan: GAN) -> Step:
    """The training step of `gan`: (state, batch) -> (state, metrics), pure and ready for jit.

    A step makes `gan.d_steps` updates of the discriminator and one of the generator. Its batch is a
    dict of "image", float32 [d_steps * n, ...] (in [-1, 1] for images), and, where there are labels,
    "label", int32 [d_steps * n]: all examples shown to the discriminator, of which update j takes
    number j, j + d_steps, j + 2 d_steps, ... Fakes get the labels of the reals beside them.
    `gan.dynamics` changes how the two move.

    Metrics are float32 scalars, averaged over the step's discriminator updates: "d/loss" and its
    terms "d/adversarial" and "d/<penalty>" (not yet weighted), "d/real_logits", "d/fake_logits",
    "d/grad_norm", "d/accuracy" (where the loss defines it), "g/loss", "g/grad_norm".

    The returned function takes `axis_name` to run under a mapped axis (pmap, shard_map): logits are
    then gathered over it, gradients, statistics and metrics averaged, and every device draws its own
    share of the batch's random numbers.

    Raises:
      ValueError: when traced, if the examples are not float32, or do not divide by `gan.d_steps` and
        by the packing degree.
    """

    def step(state: GANState, batch: Batch, *, axis_name: str | None = None) -> tuple[GANState, Metrics]:
        game = _Game.of(gan, state, batch, axis_name)
        g, d, aux = state.generator, state.discriminator, state.aux["penalties"]
        before, d_metrics = d, []
        for j in range(gan.d_steps):
            fakes = game.generate(g, 2 * j, j)
            d_grads, d_stats, aux, metrics = game.discriminator_gradients(g, d, fakes, aux, j)
            d = _updated(d, d_grads, d_stats, gan.d_optimizer)
            d_metrics.append(metrics)
        if not gan.reuse_fakes:
            fakes = game.generate(g, 2 * gan.d_steps, gan.d_steps - 1)
        opponent, g_aux = d, aux
        if gan.dynamics.updates != "alternating":  # as it was, and all that it remembered
            opponent, g_aux = replace(before, stats=d.stats), state.aux["penalties"]
        g_grads, metrics = game.generator_gradients(g, opponent, fakes, g_aux)
        g = _updated(g, g_grads, fakes.stats, gan.g_optimizer)

        if gan.dynamics.updates == "extragradient":  # so far this was the trial step
            fakes = game.generate(g, 0, 0)
            d_grads, d_stats, _, d_metrics[0] = game.discriminator_gradients(g, d, fakes, g_aux, 0)
            if not gan.reuse_fakes:
                fakes = game.generate(g, 2, 0)
            g_grads, metrics = game.generator_gradients(g, d, fakes, g_aux)
            d = _updated(replace(d, params=before.params), d_grads, d_stats, gan.d_optimizer)
            g = _updated(replace(g, params=state.generator.params), g_grads, fakes.stats, gan.g_optimizer)

        aux = {**state.aux, "penalties": aux}
        if gan.dynamics.lookahead is not None:
            aux["lookahead"], (g_params, d_params) = dynamics.looked_ahead(
                aux["lookahead"], (g.params, d.params), state.step, gan.dynamics.lookahead
            )
            g, d = replace(g, params=g_params), replace(d, params=d_params)
        decay = gan.ema_decay(state.step)
        ema = optax.incremental_update({"params": g.params, **g.stats}, state.ema, 1 - decay)
        metrics |= {f"d/{name}": jnp.stack([m[name] for m in d_metrics]).mean() for name in d_metrics[0]}
        return GANState(state.step + 1, state.key, g, d, ema, aux), game.mean(metrics)

    return step


@dataclass(frozen=True)
class _Fakes:
    """A generator's answer to one draw of latents.

    Attributes:
      x: the fakes.
      pull_back: gradients in x -> gradients in the generator's parameters.
      stats: of the generator after it.
      latents: that they were made of.
      of: (parameters, latents) -> fakes, with the labels that belong to them.
    """

    x: jax.Array
    pull_back: Callable[[jax.Array], Any]
    stats: Any
    latents: jax.Array
    of: Callable[[Any, jax.Array], jax.Array]


@dataclass(frozen=True)
class _Game:
    """The two losses of one step, and their gradients, on this device's share of the batch."""

    gan: GAN
    step: jax.Array
    key: jax.Array
    reals: list[dict[str, jax.Array]]
    axis_name: str | None

    @staticmethod
    def of(gan: GAN, state: GANState, batch: Batch, axis_name: str | None) -> _Game:
        _check(batch, gan)
        reals = [jax.tree.map(lambda x, j=j: x[j :: gan.d_steps], dict(batch)) for j in range(gan.d_steps)]
        return _Game(gan, state.step, jax.random.fold_in(state.key, state.step), reals, axis_name)

    def example_keys(self, stream: int) -> jax.Array:
        n = self.reals[0]["image"].shape[0]
        first = 0 if self.axis_name is None else jax.lax.axis_index(self.axis_name) * n
        return keys.per_example(jax.random.fold_in(self.key, stream), n, first=first)

    def pack_keys(self, stream: int) -> jax.Array:
        return self.example_keys(stream)[:: self.gan.dynamics.pack]

    def mean(self, tree: Any) -> Any:
        """The mean over a mapped axis; counters are the same everywhere and stay integers."""
        if self.axis_name is None:
            return tree
        mean = lambda x: jax.lax.pmean(x, self.axis_name) if jnp.issubdtype(x.dtype, jnp.floating) else x
        return jax.tree.map(mean, tree)

    def gathered(self, logits: jax.Array) -> jax.Array:
        """All devices' logits in at least float32, for losses that compare examples with each other."""
        logits = at_least_float32(logits)
        if self.axis_name is None:
            return logits
        return jax.lax.all_gather(logits, self.axis_name, tiled=True)

    def apply(self, module: Any, params: Any, stats: Any, x: jax.Array, label: Any) -> tuple[jax.Array, Any]:
        if self.axis_name is not None and hasattr(module, "axis_name"):
            module = module.clone(axis_name=self.axis_name)
        return module.apply({"params": params, **stats}, x, label, train=True, mutable=list(stats))

    def generate(self, g: Player, stream: int, j: int) -> _Fakes:
        label, n = self.reals[j].get("label"), self.reals[j]["image"].shape[0]
        z = self.gan.latent.sample(self.example_keys(stream), n)
        of = lambda params, z: self.apply(self.gan.generator, params, g.stats, z, label)
        x, pull_back, stats = jax.vjp(lambda params: of(params, z), g.params, has_aux=True)
        return _Fakes(x, lambda grads: pull_back(grads)[0], stats, z, lambda params, z: of(params, z)[0])

    def seen(self, x: jax.Array, stream: int) -> jax.Array:
        """What the discriminator sees of examples: with noise, in packs."""
        rules = self.gan.dynamics
        if rules.instance_noise is not None:
            x = seen.noisy(x, rules.instance_noise(self.step), self.example_keys(_NOISE + stream))
        return seen.packed(x, rules.pack)

    def seen_reals(self, j: int) -> tuple[jax.Array, jax.Array | None]:
        label = self.reals[j].get("label")
        return self.seen(self.reals[j]["image"], 4 * j), None if label is None else label[
            :: self.gan.dynamics.pack
        ]

    # --- the discriminator ---

    def discriminator_loss(
        self,
        params: Any,
        stats: Any,
        fake: jax.Array,
        j: int,
        aux: Any,
        regenerate: Callable[[jax.Array], jax.Array],
    ) -> tuple[jax.Array, Any]:
        gan, (real, label) = self.gan, self.seen_reals(j)
        fake = self.seen(fake, 4 * j + 1)
        critic = lambda x: self.apply(gan.discriminator, params, stats, x, label)[0]
        real_logits, new_stats = self.apply(gan.discriminator, params, stats, real, label)
        fake_logits, new_stats = self.apply(gan.discriminator, params, new_stats, fake, label)
        sides = (real_logits, fake_logits)
        if gan.dynamics.flips:
            sides = seen.flipped(*sides, gan.dynamics.label_flip, self.pack_keys(_NOISE + 4 * j + 2))
        sides = tuple(map(self.gathered, sides))
        terms = {"adversarial": gan.loss.discriminator(*sides).mean()}
        loss, new_aux = terms["adversarial"], {}
        for name, (weight, penalty) in gan.penalties.items():
            context = {}
            if penalty.needs_latents:
                again = lambda noise: self.seen(regenerate(noise), 4 * j + 1)
                context = {"regenerate": again, "latent_dim": gan.latent.dim}
            values, new_aux[name] = penalty.apply(
                aux[name], critic, real, fake, self.pack_keys(2 * j + 1), **context
            )
            terms[name] = values.mean()
            loss += weight * terms[name]
        metrics = terms | {"real_logits": real_logits.mean(), "fake_logits": fake_logits.mean()}
        if gan.loss.accuracy is not None:
            judged = self.gathered(real_logits), self.gathered(fake_logits)
            metrics["accuracy"] = gan.loss.accuracy(*judged).mean()
        return loss, (new_stats, new_aux, metrics)

    def discriminator_gradients(
        self, g: Player, d: Player, fakes: _Fakes, aux: Any, j: int
    ) -> tuple[Any, Any, Any, Metrics]:
        regenerate = lambda noise: fakes.of(g.params, fakes.latents + noise)
        (loss, (stats, new_aux, metrics)), grads = jax.value_and_grad(self.discriminator_loss, has_aux=True)(
            d.params, d.stats, fakes.x, j, aux, regenerate
        )
        if self.gan.dynamics.consensual:
            extra = jax.grad(self.disagreement, argnums=1)(g.params, d.params, g, d, fakes, aux, j)
            grads = optax.tree.add(grads, extra)
        grads, stats, new_aux = self.mean((grads, stats, new_aux))
        return grads, stats, new_aux, metrics | {"loss": loss, "grad_norm": optax.tree.norm(grads)}

    # --- the generator ---

    def generator_loss(
        self,
        fake: jax.Array,
        d_params: Any,
        d: Player,
        aux: Any,
        j: int,
        regenerate: Callable[[jax.Array], jax.Array],
    ) -> jax.Array:
        gan, (real, label) = self.gan, self.seen_reals(j)
        opponent = Player(d_params, d.stats, d.opt_state)
        for _ in range(gan.dynamics.unroll):
            look = lambda params: self.discriminator_loss(params, d.stats, fake, j, aux, regenerate)[0]
            slope = jax.tree.map(_off_zero, self.mean(jax.grad(look)(opponent.params)))
            opponent = _updated(opponent, slope, d.stats, gan.d_optimizer)
        judge = lambda x: self.gathered(self.apply(gan.discriminator, opponent.params, d.stats, x, label)[0])
        fake_logits = judge(self.seen(fake, 4 * j + 3))
        values = gan.loss.generator(judge(real), fake_logits)
        if gan.dynamics.top_k is None:
            return values.mean()
        return dynamics.mean_of_best(values, fake_logits, gan.dynamics.top_k(self.step))

    def generator_gradients(self, g: Player, d: Player, fakes: _Fakes, aux: Any) -> tuple[Any, Metrics]:
        j = self.gan.d_steps - 1
        regenerate = lambda noise: fakes.of(g.params, fakes.latents + noise)
        loss, fake_grads = jax.value_and_grad(self.generator_loss)(fakes.x, d.params, d, aux, j, regenerate)
        grads = fakes.pull_back(fake_grads)
        if any(penalty.generator for _, penalty in self.gan.penalties.values()):
            term, extra = jax.value_and_grad(self.generator_penalties)(g.params, d, fakes, j)
            loss, grads = loss + term, optax.tree.add(grads, extra)
        if self.gan.dynamics.consensual:
            extra = jax.grad(self.disagreement)(g.params, d.params, g, d, fakes, aux, j)
            grads = optax.tree.add(grads, extra)
        grads = self.mean(grads)
        return grads, {"g/loss": loss, "g/grad_norm": optax.tree.norm(grads)}

    def generator_penalties(self, g_params: Any, d: Player, fakes: _Fakes, j: int) -> jax.Array:
        """Terms of penalties that also ask something of the generator, weighted and added up."""
        label, loss = self.seen_reals(j)[1], jnp.zeros(())
        critic = lambda x: self.apply(self.gan.discriminator, d.params, d.stats, x, label)[0]
        regenerate = lambda noise: fakes.of(g_params, fakes.latents + noise)
        for weight, penalty in self.gan.penalties.values():
            if penalty.generator:
                fake, example_keys = regenerate(jnp.zeros_like(fakes.latents)), self.example_keys(2 * j + 1)
                values = penalty.generator(critic, fake, regenerate, self.gan.latent.dim, example_keys)
                loss += weight * values.mean()
        return loss

    # --- both ---

    def disagreement(
        self, g_params: Any, d_params: Any, g: Player, d: Player, fakes: _Fakes, aux: Any, j: int
    ) -> jax.Array:
        """consensus / 2 times the squared norm of both players' gradients."""

        def losses(g_params: Any, d_params: Any) -> tuple[jax.Array, jax.Array]:
            fake = fakes.of(g_params, fakes.latents)
            regenerate = lambda noise: fakes.of(g_params, fakes.latents + noise)
            d_loss = self.discriminator_loss(d_params, d.stats, fake, j, aux, regenerate)[0]
            return self.generator_loss(fake, d_params, d, aux, j, regenerate), d_loss

        g_grads = self.mean(jax.grad(lambda g_params: losses(g_params, d_params)[0])(g_params))
        d_grads = self.mean(jax.grad(lambda d_params: losses(g_params, d_params)[1])(d_params))
        squares = [jnp.square(leaf).sum() for leaf in jax.tree.leaves((g_grads, d_grads))]
        return 0.5 * self.gan.dynamics.consensus * sum(squares)


def _check(batch: Batch, gan: GAN) -> None:
    examples, dtype = batch["image"].shape[0], batch["image"].dtype
    if dtype != jnp.float32:
        raise InputError(f"batch: expected float32 examples (images in [-1, 1]), got {dtype}")
    if examples % gan.d_steps:
        raise InputError(
            f"batch: expected a multiple of d_steps={gan.d_steps} examples (each discriminator update "
            f"takes its own), got {examples}"
        )
    if examples // gan.d_steps % gan.dynamics.pack:
        raise InputError(
            f"batch: expected a multiple of pack={gan.dynamics.pack} examples for each discriminator update, "
            f"got {examples // gan.d_steps}"
        )


def _off_zero(gradient: jax.Array) -> jax.Array:
    """What is nearly 0 becomes 1e-15: the roots in Adam and its like have no derivative at 0."""
    return jnp.where(jnp.abs(gradient) < 1e-15, jnp.asarray(1e-15, gradient.dtype), gradient)


def _updated(player: Player, grads: Any, stats: Any, optimizer: optax.GradientTransformation) -> Player:
    updates, opt_state = optimizer.update(grads, player.opt_state, player.params)
    return Player(optax.apply_updates(player.params, updates), stats, opt_state)
