"""The game of one generator and one discriminator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxgan.augment import Augmentation, flipped, packed
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, lookup
from jaxgan.common.numerics import is_number
from jaxgan.games.game import Batch, Critic, Game, Moves, Output, Player, Schedule, Turn, ema_schedule
from jaxgan.games.kinds import (
    check_count,
    check_kind,
    check_module,
    check_named,
    check_optimizer,
    check_schedule,
)
from jaxgan.games.view import View, starts, weighed
from jaxgan.losses import Loss
from jaxgan.models.latents import Latent
from jaxgan.penalties import Critic as Critique
from jaxgan.penalties import Generate, Penalty, Scene


def GAN(
    generator: nn.Module,
    discriminator: nn.Module,
    loss: Loss,
    g_optimizer: optax.GradientTransformation,
    d_optimizer: optax.GradientTransformation,
    latent: Latent,
    *,
    penalties: Mapping[str, tuple[Any, Penalty]] | None = None,
    own_turns: Mapping[str, int] | None = None,
    d_steps: int = 1,
    reuse_fakes: bool = False,
    ema_decay: Schedule | None = None,
    augment: Mapping[str, Augmentation] | None = None,
    pack: int = 1,
    label_flip: Any = 0.0,
    top_k: Callable[[jax.Array], jax.Array] | None = None,
    moves: Moves = Moves(),  # noqa: B008  (frozen)
    detail: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
    example: str = "image",
    conditional: bool = False,
) -> Game:
    """A generative adversarial network: algorithm 1 of Goodfellow et al. (2014), as a game of two players.

    A step makes `d_steps` turns of the discriminator ("d"), of which turn j sees the examples j, j + d_steps, ...
    and one of the generator ("g"). Its batch holds the examples, float32 [d_steps * n, ...] (in [-1, 1] for images),
    and, where there are labels, "label", int32 [d_steps * n]; fakes get the labels of the reals beside them.

    A discriminator may have a method `terms(x, label, keys, train) -> {name: (weight, values [n])}`: what it adds
    itself, on reals, to what it minimises (such as FastGAN's reconstruction), and what is reported as "d/<name>".

    Metrics: "d/loss" and its terms "d/adversarial" and "d/<penalty>" (not yet weighted), "d/real_logits",
    "d/fake_logits", "d/grad_norm", "d/accuracy" (where the loss defines it), "g/loss", "g/grad_norm", and, where
    the generator has terms, "g/adversarial" and "g/<penalty>".

    Args:
      generator: Linen module, (z, label, train) -> examples. If it does so by way of styles it has methods
        "mapping" (z, label, train) -> styles [n, layers, size] and "synthesis" (styles, train) -> examples.
      discriminator: Linen module, (x, label, train) -> logits [batch] or [batch, k]. If its attribute `classifies` is
        true, terms may ask it for the logits of classes, by classify=True.
      loss: what both minimise.
      g_optimizer: the generator's optax transformation.
      d_optimizer: the discriminator's optax transformation.
      latent: prior of z.
      penalties: name -> (weight, penalty), added to the players' losses.
      own_turns: name -> k: this penalty is not added to a loss, but is k times as strong an update of its own, after
        its player's, in one of k steps, as in StyleGAN2's code; with latents of its own. It counts steps, not updates:
        with several `d_steps` it is made once after the last of them, on its reals, in steps 0, k, 2 k, ... The metrics
        are those of turns "d_<penalty>" and "g_<penalty>".
      d_steps: discriminator updates before each generator update; every one gets its own reals.
      reuse_fakes: the generator's turn sees the latents of the last discriminator turn (as in most published
        code; one generator pass less) and not fresh ones (as in algorithm 1).
      ema_decay: step -> decay of the averaged generator; by default that of `ema_schedule()`.
      augment: name -> augmentation of all that the discriminator sees, applied in this order.
      pack: the discriminator judges so many examples at once, joined along their last axis, and gives one
        logit for all (Lin et al. 2018, PacGAN, section 2). It is then told no labels.
      label_flip: probability with which a real and the fake beside it change places for the
        discriminator (Salimans et al. 2016 smooth labels instead; this is the stochastic form).
      top_k: step -> share of the fakes, those with the highest logits, that the generator learns from
        (Sinha et al. 2020, Top-k training of GANs, eq. 3). A loss that compares examples still looks at the
        others; a loss of features has no such order and is refused.
      moves: how the two move.
      detail: (step, reals) -> the reals as they are shown, of the same shape: as coarse as the fakes of a generator
        that is still growing, say.
      example: name of the array in the batch that the generator imitates.
      conditional: whether the generator is sampled with labels.

    Raises:
      ValueError: for arguments of another kind, numbers out of range, or options that do not go together; when
        traced, for networks whose examples or logits are of another shape than the reals ask for.
    """
    check_module("generator", generator)
    check_module("discriminator", discriminator)
    check_kind("loss", loss, Loss, 'LOSSES["hinge"]()')
    check_optimizer("g_optimizer", g_optimizer)
    check_optimizer("d_optimizer", d_optimizer)
    check_kind("latent", latent, Latent, 'LATENTS["normal"](64)')
    check_named("penalties", penalties, Penalty, '{"r1": (0.1, r1())}', weighed=True)
    check_named("augment", augment, Augmentation, '{"adaptive": adaptive()}')
    check_schedule("ema_decay", ema_decay, "ema_schedule(0.999)")
    check_schedule("top_k", top_k, "lambda step: 0.5")
    check_kind("moves", moves, Moves, 'Moves("extragradient")')
    check_count("d_steps", d_steps)
    check_count("pack", pack)
    penalties, augment = dict(penalties or {}), dict(augment or {})
    own_turns = dict(own_turns or {})
    _check(loss, penalties, own_turns, d_steps, pack, label_flip, top_k, moves)
    if pack > 1 and conditional:
        raise InputError(f"pack: expected 1 with a conditional game, as a pack has no one class, got {pack}")
    for name, (_, own) in penalties.items():
        needs = any(term is not None and term.needs_classes for term in own)
        if needs and not getattr(discriminator, "classifies", False):
            raise InputError(
                f"{name}: expected a discriminator that classifies (head 'ac'), got one without classes"
            )
        if needs and pack > 1:
            raise InputError(f"pack: expected 1 with {name}, as a pack has no one class, got {pack}")
    if pack > 1 and hasattr(discriminator, "terms"):
        raise InputError(f"pack: expected 1 with a discriminator that has terms of its own, got {pack}")
    if loss.threshold is None and any(own.learn is not None for own in augment.values()):
        raise InputError(
            "augment: expected none that learns from logits with this loss, whose logits have no sign"
        )
    joined = {name: pair for name, pair in penalties.items() if name not in own_turns}
    d_terms = {
        name: (weight, own.discriminator) for name, (weight, own) in joined.items() if own.discriminator
    }
    g_terms = {name: (weight, own.generator) for name, (weight, own) in joined.items() if own.generator}

    def seen(view: View, side: str) -> Callable[[jax.Array], jax.Array]:
        memory = dict(view.memory)  # as it is now: it learns before the turn ends

        def see(x: jax.Array) -> jax.Array:
            for name, own in augment.items():
                keys = view.keys(f"{view.name}/{side}/{name}")[:: view.n // len(x)]
                x = own.see(memory[f"augment/{name}"], x, keys, view.step)
            return packed(x, pack)

        return see

    def shown_as_reals(view: View, mixed: bool) -> jax.Array:
        reals, label = view.batch[example], view.batch.get("label")
        reals = reals if detail is None else detail(view.step, reals)
        for name, own in augment.items():
            if own.mix is not None and mixed:
                others = view.ask("generator", latent.sample(view.keys(f"latents/{name}"), view.n), label)
                memory, keys = view.memory[f"augment/{name}"], view.keys(f"mix/{name}")
                reals = own.mix(memory, reals, jax.lax.stop_gradient(others), keys, view.step)
        return reals

    def label_of_packs(view: View) -> jax.Array | None:
        return view.batch.get("label") if pack == 1 else None  # a pack has no one class

    def scene(view: View, *, mixed: bool = True) -> Scene:
        if view.n % pack:
            raise InputError(
                f"batch: expected a multiple of pack={pack} examples for each discriminator update, got {view.n}"
            )
        label, z = view.batch.get("label"), latent.sample(view.keys("latents"), view.n)
        reals, fakes = shown_as_reals(view, mixed), view("generator", z, label)
        if jnp.shape(fakes) != reals.shape:
            raise InputError(
                f"generator: expected examples of the reals' shape {reals.shape}, got {jnp.shape(fakes)}"
            )
        classify = lambda x: view.ask("discriminator", x, label_of_packs(view), classify=True)
        label_of = lambda z: None if label is None else label[:: view.n // len(z)]

        def styles(z: jax.Array) -> tuple[jax.Array, Generate]:
            make = lambda ws: view.ask("generator", ws, method="synthesis")
            return view.ask("generator", z, label_of(z), method="mapping"), make

        see_real, see_fake = seen(view, "real"), seen(view, "fake")
        return Scene(
            reals=see_real(reals),
            fakes=see_fake(fakes),
            latents=z,
            critic=lambda x: view.ask("discriminator", x, label_of_packs(view)),
            generate=lambda z: see_fake(view.ask("generator", z, label_of(z))),
            styles=styles if hasattr(generator, "synthesis") else None,
            mean=view.deal.axis.mean,
            labels=label_of_packs(view),
            classify=classify if getattr(discriminator, "classifies", False) else None,
            plain_reals=(reals, see_real) if augment else None,
            plain_fakes=(fakes, see_fake) if augment else None,
        )

    def logits(view: View, scene: Scene) -> tuple[jax.Array, jax.Array]:
        found = tuple(view("discriminator", x, label_of_packs(view)) for x in (scene.reals, scene.fakes))
        for x in found:
            if jnp.ndim(x) not in (1, 2) or len(x) * pack != view.n:
                n = view.n // pack
                raise InputError(
                    f"discriminator: expected logits [{n}] or [{n}, k] for {view.n} examples, got shape {jnp.shape(x)}"
                )
        return found  # pyright: ignore

    def own_terms(view: View, here: Scene) -> jax.Array:
        if not hasattr(discriminator, "terms"):
            return jnp.zeros(())
        given = here.reals, label_of_packs(view)
        found: Mapping[str, Any] = view.also(
            "discriminator", *given, keys=view.keys("d/terms")[::pack], method="terms"
        )
        if taken := sorted(set(found) & (_METRICS | set(penalties))):
            raise InputError(f"terms: expected other names than {', '.join(taken)}, which are taken")
        return sum(
            (weight * view.log(name, values.mean()) for name, (weight, values) in found.items()),
            jnp.zeros(()),
        )

    def judge(view: View) -> jax.Array:
        here = scene(view)
        real, fake = logits(view, here)
        known = [(here.reals, real)]
        if not view.stats["discriminator"]:  # which the reals would have changed before the fakes
            known.append((here.fakes, fake))
        here = here._replace(critic=remembering(here.critic, *known))
        sides = real, fake
        if not is_number(label_flip) or label_flip > 0:
            sides = flipped(real, fake, label_flip, view.keys("label_flip")[::pack])
        value = view.log("adversarial", loss.discriminator(*map(view.gathered, sides)).mean())
        view.log("real_logits", real.mean())
        view.log("fake_logits", fake.mean())
        real, fake = view.gathered(real), view.gathered(fake)
        if loss.accuracy is not None:
            view.log("accuracy", loss.accuracy(real, fake).mean())
        for name, own in augment.items():
            if own.learn is not None:
                slot = f"augment/{name}"
                zero = 0.0 if loss.threshold is None else loss.threshold
                above = (jax.lax.stop_gradient(logits) - zero for logits in (real, fake))
                view.memory[slot] = own.learn(view.memory[slot], *above)
        return weighed(view, value + own_terms(view, here), d_terms, here, pack)

    def forge(view: View) -> jax.Array:
        here = scene(view)
        real, fake = map(view.gathered, logits(view, here))
        values = loss.generator(real, fake)
        value = values.mean() if top_k is None else mean_of_best(values, fake, top_k(view.step))
        if g_terms:
            view.log("adversarial", value)
        return weighed(view, value, g_terms, here, pack)

    def inputs(batch: Batch) -> Mapping[str, tuple[Any, ...]]:
        label = None if batch.get("label") is None else jnp.zeros((2,), jnp.int32)
        x = jnp.zeros((2 * pack, *batch[example].shape[1:]), batch[example].dtype)
        judged = packed(x, pack), label if pack == 1 else None
        return {"generator": (jnp.zeros((2, latent.dim)), label), "discriminator": judged}

    judged = [Turn("d", ("discriminator",), judge, slice(j, None, d_steps), j) for j in range(d_steps)]
    forged = Turn("g", ("generator",), forge, judged[-1].examples, d_steps - 1 if reuse_fakes else d_steps)
    single = {"discriminator": [], "generator": []}
    memory = {**starts("d", d_terms), **starts("g", g_terms)}
    for draw, (name, every) in enumerate(own_turns.items(), d_steps + 1):
        weight, own = penalties[name]
        for player, term in zip(single, own, strict=True):
            if term is not None:
                turn, terms = f"{player[0]}_{name}", {name: (every * weight, term)}
                alone = lambda view, terms=terms: weighed(view, jnp.zeros(()), terms, scene(view), pack)
                single[player].append(Turn(turn, (player,), alone, forged.examples, draw, every))
                memory |= starts(turn, terms)
    return Game(
        players={
            "generator": Player(generator, g_optimizer, ema_decay or ema_schedule()),
            "discriminator": Player(discriminator, d_optimizer),
        },
        turns=(*judged, *single["discriminator"], forged, *single["generator"]),
        inputs=inputs,
        memory={
            **memory,
            **{f"augment/{name}": own.init for name, own in augment.items()},
        },
        moves=moves,
        output=Output("generator", latent, conditional),
        critic=Critic(loss, lambda view: logits(view, scene(view, mixed=False)), pack),
        compares=lambda: top_k is not None or any(own.learn for own in augment.values()) or not loss.alone,
    )


def remembering(critic: Critique, *known: tuple[jax.Array, jax.Array]) -> Critique:
    """The critic, which has judged some arrays already: one pass back then serves all that look at their logits."""

    def judged(x: jax.Array) -> jax.Array:
        found = [logits for seen, logits in known if seen is x]
        return found[0] if found else critic(x)

    return judged


_METRICS = {"loss", "adversarial", "accuracy", "grad_norm", "real_logits", "fake_logits", "consensus"}


def mean_of_best(values: jax.Array, fake_logits: jax.Array, share: jax.Array) -> jax.Array:
    """Mean of the values of the ceil(share n) examples with the highest logits (at least one)."""
    n = values.shape[0]
    values = values.reshape(n, -1).mean(1)
    logits = jax.lax.stop_gradient(fake_logits).reshape(n, -1).mean(1)
    rank = jnp.argsort(jnp.argsort(-logits))
    count = jnp.ceil(share * n * (1 - 1e-6))  # a float32 share of 7/13 is not to keep 8 of 13
    kept = rank < jnp.clip(count, 1, n)
    return jnp.where(kept, values, 0.0).sum() / kept.sum()


def _check(
    loss: Loss,
    penalties: Mapping[str, tuple[Any, Penalty]],
    own_turns: Mapping[str, int],
    d_steps: int,
    pack: int,
    label_flip: Any,
    top_k: Any,
    moves: Moves,
) -> None:
    check_range("d_steps", d_steps, at_least=1, unit="discriminator update a step")
    if d_steps > 1 and moves.updates != "alternating":
        raise InputError(f"d_steps: expected 1 with {moves.updates} updates, got {d_steps}")
    check_range("pack", pack, at_least=1)
    check_range("label_flip", label_flip, at_least=0, below=1)
    if top_k is not None and loss.of_features:
        raise InputError("top_k ranks fakes by their logit, and this loss has features instead")
    if taken := sorted(_METRICS & set(penalties)):
        raise InputError(f"penalties: expected other names than those of metrics, got {', '.join(taken)}")
    for name in own_turns:
        lookup("penalty", name, penalties)
    if own_turns and (moves.unroll or moves.consensual):
        raise InputError(
            "own_turns: expected none with unrolling or consensus, which follow the turns of every step, got "
            f"{', '.join(own_turns)}"
        )
    terms = [term for _, penalty in penalties.values() for term in penalty if term is not None]
    if pack > 1 and any(term.needs_latents for term in terms):
        raise InputError(f"penalties: none that needs latents goes with pack, got pack = {pack}")
