"""Translation of images in pairs: restoration and pix2pix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError, lookup
from jaxgan.games.game import Batch, Critic, Game, Moves, Player, Turn
from jaxgan.games.pairs.direction import Translation
from jaxgan.games.view import View, starts, weighed
from jaxgan.losses import Loss
from jaxgan.penalties import Penalty, Scene

_CHARBONNIER = 1e-3

PIXEL_LOSSES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "l1": jnp.abs,
    "l2": jnp.square,
    "charbonnier": lambda x: jnp.sqrt(jnp.square(x) + _CHARBONNIER**2),
}
"""Name -> what a difference of pixels costs; the last is a smooth l1 (Lai et al. 2017, section 3.3)."""


def given(batch: Batch, source: str = "input") -> jax.Array:
    """What a translator sees of a batch, [n, h, w, c]: the input and, after its channels, the mask if there is one."""
    parts = [batch[source], *([batch["mask"]] if "mask" in batch else [])]
    return jnp.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def filled(batch: Batch, made: jax.Array, source: str = "input") -> jax.Array:
    """Takes what was made where the mask is 1, and the input elsewhere; without a mask, all that was made.

    Args:
      batch: [n, h, w, c] by name; "mask" [n, h, w, 1] may be among them.
      made: what a translator made, [n, h, w, c].
      source: name of the input.
    """
    return made if "mask" not in batch else batch["mask"] * made + (1 - batch["mask"]) * batch[source]


def translation(
    translator: Player,
    critic: Player | None = None,
    loss: Loss | None = None,
    *,
    pixel: Any = 100.0,
    adversarial: Any = 1.0,
    pixel_steps: int = 0,
    pixel_loss: str = "l1",
    features: Player | Callable[[jax.Array], Any] | None = None,
    perceptual: Any = 0.0,
    penalties: Mapping[str, tuple[Any, Penalty]] | None = None,
    halved: bool = False,
    moves: Moves = Moves(),  # noqa: B008  (frozen)
    source: str = "input",
    target: str = "image",
    conditional: bool = False,
) -> Game:
    """A translator of images in pairs, and a critic that sees both images of a pair.

    The translator minimises pixel * l(y - target) + adversarial * loss.generator + perceptual * |features - features|.
    A batch holds inputs "input" and what they should become, "image"; where it also holds a "mask" [n, h, w, 1], 1
    where the input lacks something, the translator sees the mask as its last channel, only what is missing is taken
    from it, and the pixel loss is the mean over what is missing. Inputs smaller than the image are enlarged for the
    critic. Metrics: "g/pixel", "g/perceptual", "g/adversarial", "d/loss", ...

    Args:
      translator: module (x, train) -> y, averaged.
      critic: module (input and image along the channels, train) -> logits; None: pixels alone.
      loss: of both; any of the library. The logits of a critic of patches are judged one by one.
      pixel: weight of the pixel loss (lambda of eq. 4).
      adversarial: weight of the adversarial loss.
      pixel_steps: steps at the start in which the pixel loss alone counts, and the critic has no turn.
      pixel_loss: an entry of `PIXEL_LOSSES`.
      features: images -> features [n, ...], or several, whose mean absolute differences, averaged over these, the
        perceptual term is; as a player, it is one that no turn moves.
      perceptual: weight of that term.
      penalties: name -> (weight, penalty) of the critic, on pairs.
      halved: whether the critic's loss is divided by 2, as in section 3.3 and the authors' code.
      moves: how the players move.
      source: name of the inputs.
      target: name of the images.
      conditional: whether both networks are told the classes: they are then asked (x, label, train), with the batch's
        array "label".

    Raises:
      InputError: for options that do not go together.

    References:
      Isola, Zhu, Zhou, Efros (2017), Image-to-image translation with conditional adversarial networks, eq. 1-4.
      Ledig et al. (2017), Photo-realistic single image super-resolution using a generative adversarial network:
      training by pixels first (section 3.2).
    """
    cost = lookup("pixel_loss", pixel_loss, PIXEL_LOSSES)
    if (critic is None) != (loss is None):
        raise InputError("loss: expected one beside a critic, and none without")
    d_terms = {
        name: (weight, own.discriminator)
        for name, (weight, own) in (penalties or {}).items()
        if own.discriminator is not None
    }
    for name, (_, term) in d_terms.items():
        if term.needs_latents or term.needs_classes:
            raise InputError(f"penalties: expected none that needs latents or classes, got {name!r}")
    eyes = {"features": features} if isinstance(features, Player) else {}
    weight = lambda step: adversarial if not pixel_steps else jnp.where(step < pixel_steps, 0.0, adversarial)

    told = lambda batch: (batch.get("label"),) if conditional else ()

    def made(view: View) -> jax.Array:
        y = filled(view.batch, view("translator", given(view.batch, source), *told(view.batch)), source)
        if y.shape != view.batch[target].shape:
            raise InputError(
                f"translator: expected images of the target's shape {view.batch[target].shape[1:]}, got {y.shape[1:]}"
            )
        return y

    def beside(view: View, image: jax.Array) -> jax.Array:
        """Pairs as the critic sees them."""
        seen, size = given(view.batch, source), image.shape[1:3]
        if seen.shape[1:3] != size:
            seen = jax.image.resize(seen, (len(seen), *size, seen.shape[-1]), "linear")
        return jnp.concatenate([seen, image], axis=-1)

    def logits(view: View, fakes: jax.Array) -> tuple[jax.Array, jax.Array]:
        real = view("critic", beside(view, view.batch[target]), *told(view.batch))
        return view.gathered(real), view.gathered(view("critic", fakes, *told(view.batch)))

    def judge(view: View) -> jax.Array:
        assert loss is not None
        fakes = jax.lax.stop_gradient(beside(view, made(view)))
        real, fake = logits(view, fakes)
        value = view.log("adversarial", loss.discriminator(real, fake).mean())
        if loss.accuracy is not None:
            view.log("accuracy", loss.accuracy(real, fake).mean())
        ask = lambda x: view.ask("critic", x, *told(view.batch))
        scene = Scene(beside(view, view.batch[target]), fakes, jnp.zeros((view.n, 1)), ask, ask)
        scene = scene._replace(mean=view.deal.axis.mean)
        return weighed(view, value / 2 if halved else value, d_terms, scene)

    def translate(view: View) -> jax.Array:
        y, truth = made(view), view.batch[target]
        wrong = cost(y - truth)
        if "mask" in view.batch:
            missing = jnp.broadcast_to(view.batch["mask"], wrong.shape)
            each = (missing * wrong).sum((1, 2, 3)) / jnp.maximum(missing.sum((1, 2, 3)), 1.0)
        else:
            each = wrong.mean((1, 2, 3))
        total = pixel * view.log("pixel", each.mean())
        if features is not None:
            look = (lambda x: view("features", x)) if isinstance(features, Player) else features
            unlike = jax.tree.map(lambda a, b: jnp.abs(a - b).mean(), look(y), look(truth))
            total += perceptual * view.log("perceptual", jnp.stack(jax.tree.leaves(unlike)).mean())
        if loss is not None:
            real, fake = logits(view, beside(view, y))
            fooled = view.log("adversarial", loss.generator(real, fake).mean())
            total += weight(view.step) * fooled
        return total

    def inputs(batch: Batch) -> Mapping[str, tuple[Any, ...]]:
        seen, image = given(batch, source)[:2], batch[target][:2]
        channels = seen.shape[-1] + image.shape[-1]
        pair = jnp.zeros((2, *image.shape[1:3], channels), image.dtype)
        label = lambda x: (jnp.zeros(len(x), jnp.int32),) if conditional else ()
        return (
            {"translator": (seen, *label(seen))}
            | ({} if critic is None else {"critic": (pair, *label(pair))})
            | dict.fromkeys(eyes, (image,))
        )

    turns = [Turn("g", ("translator",), translate)]
    if critic is not None:
        turns.insert(0, Turn("d", ("critic",), judge, during=(pixel_steps, None)))
    return Game(
        players={"translator": translator} | ({} if critic is None else {"critic": critic}) | eyes,
        turns=tuple(turns),
        inputs=inputs,
        memory=starts("d", d_terms),
        moves=moves,
        translations={"forward": direction_of(source, target, conditional=conditional)},
        critic=None if loss is None else Critic(loss, lambda view: logits(view, beside(view, made(view)))),
        compares=lambda: loss is not None and not loss.alone,
    )


def direction_of(source: str, target: str, *, conditional: bool = False) -> Translation:
    """What the translator of pairs makes of inputs, and masks where there are some; of the classes, if it is told."""
    return Translation(
        "translator",
        source,
        target,
        lambda network, batch: filled(batch, network(given(batch, source)), source),
        conditional,
    )
