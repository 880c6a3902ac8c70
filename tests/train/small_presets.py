"""Every preset, cut small, and which of them stand for all."""

import dataclasses
import functools
from typing import Any

import numpy as np

from jaxgan.config import ComputeConfig, Config, DynamicsConfig, HealthConfig, with_fields
from jaxgan.config.data import as_trained_on
from jaxgan.config.games import spec_for
from jaxgan.config.presets import PRESETS, get_preset, sizes
from jaxgan.data import Arrays, Source
from jaxgan.data.modality import IMAGE, modality_of
from jaxgan.losses import find_loss
from jaxgan.models import DCGANConfig, model_name

BATCH, CLASSES = 8, 3
SIZES = {
    "mlp": {"g_widths": (8, 8), "d_widths": (8, 8), "g_fourier": 2, "d_fourier": 2},
    "dcgan": {"width": 2, "d_width": 2, "embedding": 2},
    "resnet": {"width": 8, "d_width": 8, "embedding": 2, "attention": 8},
    "progan": {"width": 4, "base": 32, "stable_kimg": 0.004, "fade_kimg": 0.02},
    "pix2pix": {"width": 8, "d_width": 2, "halvings": 2, "blocks": 1, "d_depth": 1},
    "gated": {"width": 2, "d_width": 2, "d_depth": 2},
    "srresnet": {"width": 2, "d_width": 2, "blocks": 1},
}
"""Family -> fields that say how large its networks are; those that a preset leaves at 0 stay there."""
LARGE = {
    "biggan": {"width": 2, "d_width": 2, "shared": 3, "attention": 8},
    "stylegan2": {"base": 32, "most": 4, "style": 4, "mapping_layers": 2},
    "stylegan3": {"base": 32, "most": 4, "style": 4, "mapping_layers": 1, "layers": 3, "margin": 1},
    "fastgan": {"width": 2, "d_width": 2},
    "projected": {"width": 2, "mixing": 2, "input_size": 128, "weights": "random"},
    "r3gan": {"width": 4, "full": 1, "cardinality": 2, "blocks": 1, "embedding": 3},
    "gat": {"width": 8, "depth": 4, "heads": 2, "label_size": 6},
}
"""The same of families whose step takes up to a minute to compile, however small they are."""
SIDES = {"stylegan3": 16, "fastgan": 32, "projected": 32, "biggan": 32, "resnet": 16, "pix2pix": 16}
"""Family -> pixels a side; 8 of all others. Normalised over few pixels or channels, what is nearly 0 is magnified: the
translators of CycleGAN are wider, so that rounding stays below what is held."""
FEW = {"geometric": 0.0, "color": 0.0, "cutout": 0.0}
"""Options that leave of ADA's changes the flips, turns and shifts."""
FLAGS = ("conditional", "d_batch_norm", "d_spectral_norm")
PLAIN = DynamicsConfig()
DYNAMICS = tuple(
    f.name for f in dataclasses.fields(PLAIN) if not f.name.endswith(("_end", "_start", "_alpha"))
)


def weight_of(name: str) -> float:
    """Parameters of all players of a preset at its own size."""
    return sum(player["parameters"] for player in sizes()[name].values())


def family(config: Config) -> str:
    """The networks of a preset; DCGAN's in the place of large ones."""
    name = model_name(type(config.model))
    return "dcgan" if name in LARGE else name


@functools.cache
def alone(loss: str) -> bool:
    """Whether the values of a loss are those of single examples: a program is compiled to see it."""
    return find_loss(loss)().alone


def program(config: Config) -> tuple[object, ...]:
    """What of a preset decides which code its step runs: networks, game, and what that game is told."""
    told = tuple((option, value != 0) for option, value in config.game_options)
    return family(config), config.game, alone(config.loss), bool(config.data.degrade), told


def terms(config: Config) -> set[str]:
    """What is added to such a program, whatever its networks are: each is a function of what these answer."""
    model, dynamics, large = config.model, config.dynamics, family(config) != model_name(type(config.model))
    return {
        *(f"penalty {name}" for name, weight in config.penalty.weights if weight),
        *(f"augment {name}" for name in config.augment),
        *(f"dynamics {name}" for name in DYNAMICS if getattr(dynamics, name) != getattr(PLAIN, name)),
        *(f"model {name}" for name in FLAGS if getattr(model, name, False) and not large),
        *["several updates"] * (config.d_steps > 1),
    }


@functools.cache
def carried() -> dict[str, set[str]]:
    """Presets that between them run every program and every term of all presets -> the terms that each tries.

    A program, and a term, is that of the preset of the smallest networks among those that have it.
    """
    order = sorted(PRESETS, key=weight_of)
    programs, first = {}, {}
    for name in order:
        config = get_preset(name)
        programs.setdefault(program(config), name)
        for term in sorted(terms(config)):
            first.setdefault(term, name)
    tried = {name: set() for name in order if name in {*programs.values(), *first.values()}}
    for term, name in first.items():
        tried[name].add(term)
    return tried


def networks(config: Config) -> Any:
    """The configuration's family; DCGAN's in the place of large ones."""
    return (
        config.model if family(config) == model_name(type(config.model)) else DCGANConfig(d_batch_norm=False)
    )


def cut(name: str, *, own: bool = False) -> Config:
    """Two steps of a preset, small: with its game, those of its terms that it carries, and its kinds of layers.

    With `own` networks large ones are of their own family, and no terms are added.

    Where a gradient is nothing, Adam divides by what rounding has left of it; with an epsilon of 1 it does not.
    """
    config = get_preset(name)
    model = config.model if own else networks(config)
    fields = (SIZES | LARGE)[model_name(type(model))]
    small = {field: size for field, size in fields.items() if getattr(model, field, 0) not in (0, ())}
    shorter = {"gan_steps": 1.0, "pixel_steps": 1.0, "pool": 4.0}
    tried = set() if own else carried()[name]
    augment = tuple(term for term in config.augment if f"augment {term}" in tried)
    plain = {"ada": {**FEW, "start": 0.5}, "ada_scheduled": FEW}
    options = {key: value for term in augment for key, value in plain.get(term, {}).items()}
    every = tuple((term, k) for term, k in config.penalty.every_of if f"penalty {term}" in tried)
    weights = tuple((term, weight) for term, weight in config.penalty.weights if f"penalty {term}" in tried)
    penalty = {
        "options": tuple((key, 0.0 if key == "start" else x) for key, x in config.penalty.options if weights)
    }
    if "penalty gradient_penalty" not in tried:
        penalty["target"] = 1.0
    dynamics = {term: getattr(PLAIN, term) for term in DYNAMICS if f"dynamics {term}" not in tried}
    return with_fields(
        config,
        model=dataclasses.replace(model, **small, dtype="float32"),
        batch_size=BATCH,
        steps=2,
        d_steps=2 if "several updates" in tried else 1,
        schedule_kimg=0.0,
        game_options=tuple((option, shorter.get(option, value)) for option, value in config.game_options),
        augment=augment,
        augment_options=tuple(({**dict(config.augment_options), **options} if augment else {}).items()),
        dynamics=dataclasses.replace(config.dynamics, **dynamics),
        penalty=dataclasses.replace(config.penalty, weights=weights, every_of=every, **penalty),
        compute=ComputeConfig(devices=1, steps_per_dispatch=1),
        health=HealthConfig(enabled=False),
        **{"latent.dim": min(config.latent.dim, 8), "data.resolution": None, "data.channels": None},
        **dict.fromkeys(("log_every", "checkpoint_every"), 1),
        **dict.fromkeys(("sample_every", "evaluate_every"), 2),
        **dict.fromkeys(("quick_n", "final_n"), 10),
        **{f"{player}_optimizer.eps": 1.0 for player in "gde"},
        **{f"{player}_optimizer.learning_rate": 0.1 for player in "gde"},
    )


def examples(config: Config, n: int = 2 * BATCH) -> Source:
    """Noise of the form that a preset is meant for."""
    draw, preset = np.random.default_rng(0), PRESETS[config.preset]
    if len(preset.shape) == 1:
        points = draw.normal(size=(n, *preset.shape)).astype(np.float32)
        return Arrays("noise", {"image": points}, modality_of(preset.shape))
    side = SIDES.get(model_name(type(config.model)), 8)
    shape, classes = (side, side, preset.shape[2]), min(preset.n_classes, CLASSES)
    noise = lambda: draw.integers(0, 256, (n, *shape), np.uint8)
    if config.data.degrade:
        return as_trained_on(config, Arrays("noise", {"image": noise()}, IMAGE))
    spec = spec_for(config, shape, classes)
    arrays = {name: noise() for name in spec.arrays if name != "label"}
    if classes:
        arrays["label"] = np.arange(n) % classes
    return Arrays("noise", arrays, spec.modality, example=spec.example)
