"""One step of adversarial training: algorithm 1 of Goodfellow et al. (2014), as a pure function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan import keys
from jaxgan.errors import InputError
from jaxgan.state import GAN, GANState, Player

Array = jax.Array
Batch = Mapping[str, Array]
Metrics = dict[str, Array]
Step = Callable[..., tuple[GANState, Metrics]]


def make_step(gan: GAN) -> Step:
    """The training step of `gan`: (state, batch) -> (state, metrics), pure and ready for jit.

    A step makes `gan.d_steps` updates of the discriminator and one of the generator. Its batch is a
    dict of "image", float32 [d_steps * n, ...] (in [-1, 1] for images), and, where there are labels,
    "label", int32 [d_steps * n]: all examples shown to the discriminator, of which update j takes
    number j, j + d_steps, j + 2 d_steps, ... Fakes get the labels of the reals beside them.

    Metrics are float32 scalars, averaged over the step's discriminator updates: "d/loss" and its
    terms "d/adversarial" and "d/<penalty>" (not yet weighted), "d/real_logits", "d/fake_logits",
    "d/grad_norm", "d/accuracy" (where the loss defines it), "g/loss", "g/grad_norm".

    The returned function takes `axis_name` to run under a mapped axis (pmap, shard_map): gradients,
    statistics and metrics are then averaged over it, and every device draws its own share of the
    batch's random numbers.

    Raises:
      ValueError: when traced, if the examples are not float32 or do not divide by `gan.d_steps`.
    """

    def step(state: GANState, batch: Batch, *, axis_name: str | None = None) -> tuple[GANState, Metrics]:
        n = _examples_per_update(batch, gan.d_steps)
        reals = [jax.tree.map(lambda x, j=j: x[j :: gan.d_steps], dict(batch)) for j in range(gan.d_steps)]
        step_key = jax.random.fold_in(state.key, state.step)
        first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * n
        g, d, aux = state.generator, state.discriminator, state.aux["penalties"]

        def examples_keys(stream: int) -> Array:
            return keys.per_example(jax.random.fold_in(step_key, stream), n, first=first)

        def apply(module: Any, params: Any, stats: Any, x: Array, label: Array | None) -> tuple[Array, Any]:
            if axis_name is not None and hasattr(module, "axis_name"):
                module = module.clone(axis_name=axis_name)
            return module.apply({"params": params, **stats}, x, label, train=True, mutable=list(stats))

        def generate(stream: int, label: Array | None) -> tuple[Array, Callable[[Array], Any], Any]:
            z = gan.latent.sample(examples_keys(stream), n)
            return jax.vjp(
                lambda params: apply(gan.generator, params, g.stats, z, label), g.params, has_aux=True
            )

        def discriminator_loss(
            params: Any, real: Array, fake: Array, label: Any, aux: Any, key: Array
        ) -> Any:
            real_logits, stats = apply(gan.discriminator, params, d.stats, real, label)
            fake_logits, stats = apply(gan.discriminator, params, stats, fake, label)
            terms = {"adversarial": gan.loss.discriminator(real_logits, fake_logits).mean()}
            loss, new_aux = terms["adversarial"], {}
            for name, (weight, penalty) in gan.penalties.items():
                critic = lambda x: apply(gan.discriminator, params, d.stats, x, label)[0]
                values, new_aux[name] = penalty.apply(aux[name], critic, real, fake, key)
                terms[name] = values.mean()
                loss += weight * terms[name]
            metrics = terms | {"real_logits": real_logits.mean(), "fake_logits": fake_logits.mean()}
            if gan.loss.accuracy is not None:
                metrics["accuracy"] = gan.loss.accuracy(real_logits, fake_logits).mean()
            return loss, (stats, new_aux, metrics)

        def generator_loss(fake: Array, real: Array, label: Array | None) -> Array:
            fake_logits, _ = apply(gan.discriminator, d.params, d.stats, fake, label)
            real_logits, _ = apply(gan.discriminator, d.params, d.stats, real, label)
            return gan.loss.generator(real_logits, fake_logits).mean()

        d_metrics = []
        for j in range(gan.d_steps):
            real, label = reals[j]["image"], reals[j].get("label")
            fake, pull_back, g_stats = generate(2 * j, label)
            (loss, (d_stats, aux, metrics)), grads = jax.value_and_grad(discriminator_loss, has_aux=True)(
                d.params, real, fake, label, aux, examples_keys(2 * j + 1)
            )
            grads, d_stats, aux = _mean_over((grads, d_stats, aux), axis_name)
            d = _updated(d, grads, d_stats, gan.d_optimizer)
            d_metrics.append(metrics | {"loss": loss, "grad_norm": optax.tree.norm(grads)})

        if not gan.reuse_fakes:
            fake, pull_back, g_stats = generate(2 * gan.d_steps, label)
        g_loss, fake_grads = jax.value_and_grad(generator_loss)(fake, real, label)
        grads, g_stats = _mean_over((pull_back(fake_grads)[0], g_stats), axis_name)
        g = _updated(g, grads, g_stats, gan.g_optimizer)

        decay = gan.ema_decay(state.step)
        ema = optax.incremental_update({"params": g.params, **g.stats}, state.ema, 1 - decay)
        metrics = {f"d/{name}": jnp.stack([m[name] for m in d_metrics]).mean() for name in d_metrics[0]}
        metrics |= {"g/loss": g_loss, "g/grad_norm": optax.tree.norm(grads)}
        metrics = _mean_over(metrics, axis_name)
        return GANState(state.step + 1, state.key, g, d, ema, {"penalties": aux}), metrics

    return step


def _examples_per_update(batch: Batch, d_steps: int) -> int:
    examples, dtype = batch["image"].shape[0], batch["image"].dtype
    if dtype != jnp.float32:
        raise InputError(f"batch: expected float32 examples (images in [-1, 1]), got {dtype}")
    if examples % d_steps:
        raise InputError(
            f"batch: expected a multiple of d_steps={d_steps} examples (each discriminator update "
            f"takes its own), got {examples}"
        )
    return examples // d_steps


def _updated(player: Player, grads: Any, stats: Any, optimizer: optax.GradientTransformation) -> Player:
    updates, opt_state = optimizer.update(grads, player.opt_state, player.params)
    return Player(optax.apply_updates(player.params, updates), stats, opt_state)


def _mean_over(tree: Any, axis_name: str | None) -> Any:
    """The mean over a mapped axis; counters are the same everywhere and stay integers."""
    if axis_name is None:
        return tree
    mean = lambda x: jax.lax.pmean(x, axis_name) if jnp.issubdtype(x.dtype, jnp.floating) else x
    return jax.tree.map(mean, tree)
