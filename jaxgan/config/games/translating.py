"""Games that turn images into others, built of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import optax

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, in_group, renamed
from jaxgan.config.games.ranges import range_for
from jaxgan.config.options import build_loss
from jaxgan.data import Spec
from jaxgan.data.degrade import chain_of
from jaxgan.data.degrade.source import spec_with
from jaxgan.data.modality import DOMAINS, PAIR
from jaxgan.data.spec import LABEL
from jaxgan.games.cycle_gan import cycle_gan
from jaxgan.games.game import Game, Player
from jaxgan.games.pairs.translation import translation
from jaxgan.models.pretrained.frozen import Frozen


def _networks(
    config: Any, spec: Spec, shape: tuple[int, ...], source: tuple[int, ...], critic: int, n_classes: int = 0
) -> tuple[Any, Any]:
    """Translator and critic of the configuration's family of networks.

    Args:
      config: the run's.
      spec: of the data.
      shape: of what is made.
      source: of what it is made from, mask included.
      critic: channels that the critic sees.
      n_classes: of the examples; 0: they have none.
    """
    if not getattr(config.model, "translates", False):
        raise InputError(
            f"model: expected networks that take images, such as pix2pix or srresnet, for the game {config.game!r}, "
            f"got {type(config.model).__name__}"
        )
    with renamed(in_group("model", [*vars(config.model)])):
        told = range_for(config.model, spec)
        return config.model.build(shape, n_classes, source=source, judged=critic, **told)


def _players(config: Any, alone: int = 0) -> tuple[Any, Any]:
    """What makes the averaged and the judging players of their networks; these have no turn in `alone` steps."""
    average = config.average()
    makes = config.g_optimizer.build(config.scheduled_steps, "g_optimizer")
    judges = config.d_optimizer.build(config.scheduled(max(1, config.steps - alone)), "d_optimizer")
    return (lambda module: Player(module, makes, average)), (lambda module: Player(module, judges))


def translation_of(
    spec: Spec,
    config: Any,
    *,
    pixel: float = 100.0,
    adversarial: float = 1.0,
    pixel_steps: int = 0,
    perceptual: float = 0.0,
    features: str = "efficientnet_lite0",
    weights: str = "",
    squared: bool = False,
    smooth: bool = False,
    halved: bool = False,
) -> Game:
    """Restoration and pix2pix: `jaxgan.games.translation` of pairs.

    Args:
      spec: of pairs "input" and "image", and perhaps "mask".
      config: of the run.
      pixel: weight of the pixel loss.
      adversarial: weight of the adversarial loss; 0: there is no critic.
      pixel_steps: steps at the start without it.
      perceptual: weight of the mean absolute difference of feature maps; 0: none.
      features: network of these maps, as of `jaxgan.metrics.features.maps`.
      weights: file of its weights; "": they are downloaded once.
      squared: the pixel loss is squared.
      smooth: the pixel loss is Charbonnier's.
      halved: the critic's loss is halved.
    """
    _hold(spec, "input", "image", config)
    for name, value in (("pixel", pixel), ("adversarial", adversarial), ("perceptual", perceptual)):
        check_range(name, value, at_least=0)
    check_range("pixel_steps", pixel_steps, at_least=0, unit="steps")
    told = dict(config.game_options)
    for name in ("features", "weights"):
        if name in told and not perceptual:
            raise InputError(
                f"{name}: expected the option perceptual above 0 beside it, got {told[name]!r} alone"
            )
    if squared and smooth:
        raise InputError("squared: expected one pixel loss, got squared and smooth")
    source, masked = spec.arrays["input"].shape, "mask" in spec.arrays
    seen = (*source[:2], source[2] + masked)
    networks = _networks(config, spec, spec.shape, seen, seen[2] + spec.shape[2], spec.n_classes)
    makes, judges = _players(config, pixel_steps)
    alone = adversarial == 0
    return translation(
        makes(networks[0]),
        None if alone else judges(networks[1]),
        None if alone else build_loss(config.loss, config.loss_options, config.label_smoothing),
        pixel=pixel,
        adversarial=adversarial,
        pixel_steps=pixel_steps,
        perceptual=perceptual,
        features=_eyes(features, spec.shape, weights) if perceptual else None,
        pixel_loss="l2" if squared else "charbonnier" if smooth else "l1",
        halved=halved,
        penalties=None if alone else config.penalty.build(config.scheduled_steps, config.batch_size),
        moves=config.dynamics.build(config.steps)["moves"],
        conditional=config.model.conditional,
    )


def _eyes(name: str, shape: tuple[int, ...], file: str) -> Player:
    """A network that images are compared by, as a player that no turn moves."""
    from jaxgan.metrics.features.maps import maps_for

    maps = maps_for(name, shape, file, "--game-options weights")
    return Player(Frozen(maps.look, maps.read, maps.shapes), optax.set_to_zero())


def cycle_gan_of(
    spec: Spec,
    config: Any,
    *,
    cycle: float = 10.0,
    identity: float = 0.0,
    pool: int = 50,
    halved: bool = True,
) -> Game:
    """CycleGAN: `jaxgan.games.cycle_gan` of two domains.

    Args:
      spec: of examples "a" and "b".
      config: of the run.
      cycle: weight of what is lost on the way there and back.
      identity: weight of what a translator changes in its own domain, relative to that.
      pool: images made before that critics are shown; 0: new ones only.
      halved: whether the critics' loss is halved.
    """
    _hold(spec, "a", "b", config)
    if getattr(config.model, "translates", False) and config.model.conditional:
        raise InputError(
            "model.conditional: expected networks without classes in the game 'cycle_gan', got True"
        )
    check_range("cycle", cycle, at_least=0)
    check_range("identity", identity, at_least=0)
    check_range("pool", pool, at_least=0, unit="images")
    a, b = (spec.arrays[name].shape for name in "ab")
    if identity and a != b:
        raise InputError(
            f"identity: expected 0 for domains of other channels each, {a} and {b}, got {identity:g}"
        )
    a_to_b, critic_b = _networks(config, spec, b, a, b[2])
    b_to_a, critic_a = _networks(config, spec, a, b, a[2])
    makes, judges = _players(config)
    return cycle_gan(
        makes(a_to_b),
        makes(b_to_a),
        judges(critic_a),
        judges(critic_b),
        build_loss(config.loss, config.loss_options, config.label_smoothing),
        cycle=cycle,
        identity=identity,
        pool=(pool, config.batch_size, a, b) if pool else None,
        halved=halved,
        moves=config.dynamics.build(config.steps)["moves"],
    )


def has_pool(config: Any) -> bool:
    """Whether a CycleGAN's critics are shown images made before, which memory holds."""
    return dict(config.game_options).get("pool", 1) != 0


def _hold(spec: Spec, source: str, target: str, config: Any) -> None:
    """Raises InputError unless a batch has the arrays that the game takes."""
    if missing := {source, target} - spec.arrays.keys():
        how = {
            "translation": "name a degradation (--data.degrade denoise), or pairs (--data.source pairs:A,B)",
            "cycle_gan": "name two folders (--data.source domains:A,B)",
        }[config.game]
        raise InputError(
            f"data: expected {source!r} and {target!r} in a batch for the game {config.game!r}, got no "
            f"{min(missing)!r}; {how}"
        )


def spec_of_pairs(shape: tuple[int, ...], n_classes: int, config: Any) -> Spec:
    """Images of this shape, with what they are made from: as they are degraded, or as they are."""
    plain = _images({"image": shape}, "image", PAIR, n_classes)
    chain = chain_of(config.data.degrade, config.data.degrade_options)
    if chain is None:
        return _images({"image": shape, "input": shape}, "image", PAIR, n_classes)
    return spec_with(plain, chain, config.data.crop)


def spec_of_domains(shape: tuple[int, ...], n_classes: int, config: Any) -> Spec:
    """Two domains of images of this shape."""
    return _images({"a": shape, "b": shape}, "b", DOMAINS)


def _images(shapes: Mapping[str, tuple[int, ...]], example: str, modality: Any, n_classes: int = 0) -> Spec:
    arrays = {name: jax.ShapeDtypeStruct(shape, np.float32) for name, shape in shapes.items()}
    if n_classes:
        arrays[LABEL] = jax.ShapeDtypeStruct((), np.int32)
    return Spec(arrays, example, n_classes, "uint8", modality)
