"""Dissecting a GAN of cartoon faces: units for glasses, beards and hair, and faces without them.

    python experiments/applications/dissection.py --quick --out DIR      # two CPU cores: some minutes
    python experiments/applications/dissection.py --out DIR              # a GAN of more steps

A small GAN (DCGAN, 32x32) is trained on 4,000 cartoon faces. What glasses, beards and hair cover is known to the pixel
(each face is rendered with and without), so a small network learns to segment them, and units of the GAN are compared
with what it sees. A classifier that had no part in it says whether a face has glasses.
Needs node and npm, once, to render the faces.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cartoon_faces
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sections import Section

from jaxgan.apps import attributes
from jaxgan.apps.dissect.agreement import agreement, iou
from jaxgan.apps.dissect.concepts import built_in, resized_maps, together
from jaxgan.apps.dissect.dissect import dissect
from jaxgan.apps.dissect.page import told, write_page
from jaxgan.apps.dissect.units import Units, changed_images, find_layer, layers
from jaxgan.apps.network import Network
from jaxgan.apps.sheets import sheet
from jaxgan.cli.arguments import run_script
from jaxgan.common.files import write_atomically
from jaxgan.metrics.features.network import in_batches
from jaxgan.models.layers import DownConv, UpConv
from jaxgan.runs import environment

he = nn.initializers.he_normal()
FACES, PARTS = 4000, cartoon_faces.PARTS
JUDGED = ("glasses", "beard", "long hair", "dark skin")


@dataclass(frozen=True)
class Args:
    """Arguments of the study."""

    quick: bool = False
    """Fewer steps and images: some minutes on two cores."""
    out: pathlib.Path = pathlib.Path("dissection")
    """Folder to write."""
    units: int = 6
    """Units that are silenced together."""


class Parts(nn.Module):
    """Where glasses, beards and hair are: a U-Net of three halvings that is told where in the image it is."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, 3] in [-1, 1] -> logits [n, h, w, 3]."""
        n, h, w, _ = x.shape
        place = jnp.stack(
            jnp.meshgrid(jnp.linspace(-1, 1, h), jnp.linspace(-1, 1, w), indexing="ij"), axis=-1
        )
        maps = [jnp.concatenate([x, jnp.broadcast_to(place, (n, h, w, 2))], axis=-1)]
        for width in (24, 48, 96):
            maps.append(nn.relu(DownConv(width, kernel_init=he)(maps[-1])))
        y = maps.pop()
        for width in (48, 24, 16):
            beside = maps.pop()
            y = jnp.concatenate(
                [nn.relu(UpConv(width, (beside.shape[1], beside.shape[2]), kernel_init=he)(y)), beside],
                axis=-1,
            )
        return nn.Conv(len(PARTS), (3, 3))(y)


def segmenter(
    images: np.ndarray, masks: np.ndarray, steps: int
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Trains `Parts` on uint8 images and bool masks [n, h, w, 3]."""
    model, rng = Parts(), np.random.default_rng(0)
    optimizer = optax.adam(optax.cosine_decay_schedule(5e-3, steps))
    scaled = lambda x: x.astype(jnp.float32) / 127.5 - 1

    @jax.jit
    def step(params, moments, x, y):
        each = lambda p: optax.sigmoid_binary_cross_entropy(model.apply(p, scaled(x)), y)
        loss = lambda p: (each(p) * (1 + 2 * y)).mean()
        updates, moments = optimizer.update(jax.grad(loss)(params), moments)
        return optax.apply_updates(params, updates), moments

    params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, *images.shape[1:])))
    moments = optimizer.init(params)
    for _ in range(steps):
        rows = rng.integers(0, len(images), 64)
        params, moments = step(params, moments, images[rows], masks[rows].astype(np.float32))
    apply: Any = model.apply
    look = jax.jit(lambda x: apply(params, scaled(x)) > 0)
    return lambda x: dict(zip(PARTS, np.moveaxis(in_batches(look, x, 100), -1, 0), strict=True))


def main(args: Args) -> None:
    environment.start()
    steps, n = (2500, 400) if args.quick else (10_000, 2000)
    protocol = (
        f"DCGAN, {steps:,} steps on {FACES:,} cartoon faces of 32x32 pixels, one seed. "
        f"Agreement: IoU of {n // 2} generated faces, at the quantile chosen on {n // 2} others; baseline: the same "
        f"with masks of other faces. Interventions: {args.units} units silenced on {n // 4} new faces; baseline: as "
        "many random units, mean of five draws. Units by effect: those whose silence alone takes most of the part, on "
        "yet other faces. Intervals: 95 % over images."
    )
    table = Section("dissection", "Dissection", protocol, args.out, quick=args.quick)
    unseen, seen = cartoon_faces.load(FACES).parted()
    network = Network(cartoon_faces.trained(seen, steps))
    see = segmenter(seen.images[: len(seen.masks)], seen.masks, 400 if args.quick else 2000)
    masks = see(unseen.images)
    table.more["IoU of the segmenter on new faces"] = {
        name: iou(masks[name], unseen.masks[..., i]) for i, name in enumerate(PARTS)
    }
    print("segmenter, on new faces:", table.more["IoU of the segmenter on new faces"], flush=True)
    judge = attributes.fit(
        seen.images, {name: seen.attributes[name] for name in JUDGED}, steps=150 if args.quick else 1000
    )
    segment = together([see, *built_in(["colour", "edge", "foreground", "region"])])
    layer = find_layer(network)
    both = ("agreement", "effect")
    found = dissect(
        network, segment, layer=layer, n=n, units=args.units, concepts=PARTS, choose=both, poll=print
    )
    write_atomically(args.out / "dissection.html", write_page(found, "Dissection of cartoon faces", {}))
    table.more["dissection"] = told(found)
    _agreement(table, found, see)
    _interventions(table, network, found, judge, layer, args.units)
    table.write()


def _agreement(table, found, see) -> None:
    masks = see(found.images)
    n = len(found.images) // 2
    others = {
        k: np.concatenate([np.roll(m[:n], 1, axis=0), np.roll(m[n:], 1, axis=0)]) for k, m in masks.items()
    }
    by_chance = agreement(found.maps, others)
    for name in PARTS:
        unit, ours = _pooled(found.maps, found.agreement, masks, name)
        _, theirs = _pooled(found.maps, by_chance, others, name)
        what = f"unit {unit} for {name}, the best of {len(found.agreement.iou)}"
        table.row(what, "IoU", "higher", ours, "the best, of masks of other faces", theirs)


def _pooled(maps, agreed, masks, name) -> tuple[int, tuple[float, float, float]]:
    """The unit that agrees best with a part, and its IoU on the second half of the images, by bootstrap over them."""
    k, unit = agreed.concepts.index(name), agreed.best(name, 1)[0]
    n, (height, width) = len(maps) // 2, masks[name].shape[1:]
    seen = resized_maps(maps[n:, ..., unit : unit + 1], (height, width))[..., 0] > agreed.threshold[unit, k]
    mask = masks[name][n:]
    both, either = ((op(seen, mask)).sum((1, 2)) for op in (np.logical_and, np.logical_or))
    rows = np.random.default_rng(0).integers(0, len(mask), (1000, len(mask)))
    low, high = np.quantile(both[rows].sum(1) / np.maximum(either[rows].sum(1), 1), (0.025, 0.975))
    return unit, (float(agreed.iou[unit, k]), float(low), float(high))


def _interventions(table, network, found, judge, layer, units) -> None:
    for x in found.interventions:
        if x.how != "silent" or x.effect.before == 0:
            continue
        part = lambda d, before=x.effect.before: -d / before
        low, high = sorted(map(part, x.effect.interval))
        table.row(
            f"{x.concept} without its {units} units, by {x.chosen_by}",
            "share of its area that goes",
            "higher",
            (part(x.effect.difference), low, high),
            "as many random units",
            (part(x.random[0]), None, None),
        )
    z, labels = network.drawn(range(5000, 5400))
    none = np.zeros(layers(network)[layer][2])
    silent = lambda chosen: judge.scores(changed_images(network, Units(layer, chosen, none), z, labels))
    before = silent([])
    rng = np.random.default_rng(1)
    gone = {}
    for part in ("glasses", "beard"):
        i, chosen = (
            JUDGED.index(part),
            {x.chosen_by: x.units for x in found.interventions if x.concept == part},
        )
        had = before[:, i] > 0.5
        draws = [rng.choice(len(none), units, replace=False) for _ in range(5)]
        random = np.mean([silent(d)[had, i] <= 0.5 for d in draws], axis=0)
        for by, which in chosen.items():
            after = silent(which)
            lost = (after[had, i] <= 0.5).astype(float)
            what = f"{int(had.sum())} faces with {part}, without their {units} units, by {by}"
            table.row(what, "share judged to have none now", "higher", lost, "as many random units", random)
            others = [j for j in range(len(JUDGED)) if j != i]
            kept = ((after[:, others] > 0.5) == (before[:, others] > 0.5)).mean(1)
            rest = np.mean(
                [((silent(d)[:, others] > 0.5) == (before[:, others] > 0.5)).mean(1) for d in draws], axis=0
            )
            table.row(what, "share of other attributes kept", "higher", kept, "as many random units", rest)
            gone[part, by] = float(lost.mean()), float(random.mean())
    best = max((by for part, by in gone if part == "glasses"), key=lambda by: gone["glasses", by][0])
    ours, theirs = gone["glasses", best]
    table.goal(
        "silencing the units found for glasses removes them from half of the faces that have them, and from more "
        "than random units do",
        ours >= 0.5 and ours > theirs,
        f"{ours:.0%} by {best}, random units {theirs:.0%}",
    )
    i = JUDGED.index("glasses")
    with_glasses = np.flatnonzero(before[:, i] > 0.5)[:10]
    few = lambda chosen: changed_images(network, Units(layer, chosen, none), z[with_glasses], None)
    which = {
        x.chosen_by: x.units for x in found.interventions if x.concept == "glasses" and x.how == "silent"
    }
    rows = [
        few([]),
        *(few(chosen) for chosen in which.values()),
        few(rng.choice(len(none), units, replace=False)),
    ]
    names = ["as they are", *(f"units by {by} silent" for by in which), "random units silent"]
    table.picture("glasses.png", sheet(rows, names))


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
