"""Editing cartoon faces: latents of real faces, and directions that change one attribute and leave the others.

    python experiments/applications/editing.py --quick --out DIR      # two CPU cores: some minutes
    python experiments/applications/editing.py --out DIR              # a GAN of more steps

A small GAN (DCGAN, 32x32) is trained on 4,000 cartoon faces whose attributes are true. One classifier of attributes
makes supervised directions, another one, of another seed and other half of the faces, judges what every direction does.
Needs node and npm, once, to render the faces.
"""

from __future__ import annotations

import pathlib
import sys
from dataclasses import dataclass
from typing import Any

import cartoon_faces
import numpy as np
from sections import Section

from jaxgan.apps import attributes
from jaxgan.apps.editing import directions as found_by
from jaxgan.apps.editing.disentangle import disentanglement
from jaxgan.apps.editing.edit import Latents, decoded, moved
from jaxgan.apps.editing.project import Search, project, psnr
from jaxgan.apps.network import Network
from jaxgan.apps.sheets import sheet
from jaxgan.cli.arguments import run_script
from jaxgan.runs import environment

FACES = 4000
KNOWN = ("glasses", "beard", "long hair", "dark skin")
FAR = 2.0  # standard deviations to each side


@dataclass(frozen=True)
class Args:
    """Arguments of the study."""

    quick: bool = False
    """Fewer steps and images: some minutes on two cores."""
    out: pathlib.Path = pathlib.Path("editing")
    """Folder to write."""


def main(args: Args) -> None:
    environment.start()
    steps, n = (2500, 200) if args.quick else (10_000, 1000)
    protocol = (
        f"DCGAN, {steps:,} steps on {FACES:,} cartoon faces of 32x32 pixels, one seed. "
        f"Projection: 32 faces that it has not seen, in z. Directions: {FAR:g} standard deviations to each side, {n} "
        "images that chose none; the judge is a classifier that made none of the directions. share = change of the "
        "attribute's probability / sum of the absolute changes of all attributes. Intervals: 95 % over images, or over "
        "attributes."
    )
    table = Section("editing", "Editing", protocol, args.out, quick=args.quick)
    unseen, seen = cartoon_faces.load(FACES).parted()
    network = Network(cartoon_faces.trained(seen, steps))
    teacher, judge = (_classifier(seen, half, 150 if args.quick else 1000) for half in (0, 1))
    new = unseen.images, np.stack([unseen.attributes[name] for name in KNOWN], axis=1)
    table.more["accuracy of the judge"] = dict(
        zip(KNOWN, ((judge.scores(new[0]) > 0.5) == new[1]).mean(0).tolist(), strict=True)
    )
    print("judge, on new faces:", table.more["accuracy of the judge"], flush=True)
    supervised = found_by.supervised(network, "z", teacher.scores, teacher.names, n=4 * n)
    _directions(table, network, judge, supervised, n)
    _projection(table, network, judge, supervised, new[0][:32], 100 if args.quick else 500)
    table.write()


def _classifier(faces: cartoon_faces.Faces, half: int, steps: int) -> attributes.Attributes:
    rows = slice(half, None, 2)
    true = {name: faces.attributes[name][rows] for name in KNOWN}
    return attributes.fit(faces.images[rows], true, steps=steps, seed=half)


def _directions(table: Any, network: Network, judge: Any, supervised: Any, n: int) -> None:
    """Every method beside as many random directions, chosen in the same way."""
    kept = [name for name in KNOWN if name in supervised.names]
    judge = attributes.Attributes(
        judge.name, kept, lambda x, f=judge.scores: f(x)[:, [KNOWN.index(k) for k in kept]]
    )
    count = 10
    found = {
        "supervised": disentanglement(network, supervised, judge, n=n, far=FAR),
        "SeFa": disentanglement(network, found_by.closed_form(network, "z", count), judge, n=n, far=FAR),
        "GANSpace": disentanglement(network, found_by.principal(network, "z", count), judge, n=n, far=FAR),
        "random": disentanglement(
            network, found_by.random_directions(network, "z", count), judge, n=n, far=FAR
        ),
    }
    table.more["disentanglement"] = {
        method: [row._asdict() for row in rows] for method, rows in found.items()
    }
    baseline = f"best of {count} random directions"
    for ours, theirs in zip(found["supervised"], found["random"], strict=True):
        a, b = ((r.share, *r.share_interval) for r in (ours, theirs))
        table.row(
            f"direction for {ours.attribute}, supervised", "share of the change", "higher", a, baseline, b
        )
        a, b = ((r.change, *r.interval) for r in (ours, theirs))
        table.row(
            f"direction for {ours.attribute}, supervised",
            "change of its probability",
            "higher",
            a,
            baseline,
            b,
        )
    mean = lambda method: [row.share for row in found[method]]
    for method in ("SeFa", "GANSpace"):
        what = f"best of {count} directions of {method}, mean of {len(kept)} attributes"
        table.row(what, "share of the change", "higher", mean(method), baseline, mean("random"))
    better = [a.share > b.share for a, b in zip(found["supervised"], found["random"], strict=True)]
    table.goal(
        "supervised directions change their attribute more selectively than the best of ten random ones",
        all(better),
        f"{sum(better)} of {len(better)} attributes; shares "
        + ", ".join(f"{row.attribute} {row.share:.2f}" for row in found["supervised"]),
    )
    far = np.linspace(-2.5, 2.5, 7)
    z, _ = network.drawn(range(2))
    rows, names = [], []
    for i, name in enumerate(supervised.names):
        many = Latents("z", np.repeat(z, len(far), axis=0), None)
        images = decoded(network, moved(network, many, supervised, [(i, np.tile(far, len(z)))]))
        rows += list(images.reshape(len(z), len(far), *images.shape[1:]))
        names += [name, ""]
    table.picture("directions.png", sheet(rows, names, [f"{x:+.2g}" for x in far]))


def _projection(
    table: Any, network: Network, judge: Any, supervised: Any, targets: np.ndarray, steps: int
) -> None:
    """Latents of faces that were not trained on, beside the nearest of 2,000 samples; and these faces, edited."""
    found = project(network, targets, search=Search(steps=steps, starts=4))
    pool = network.decode(network.drawn(range(2000))[0], None)
    flat = lambda x: x.reshape(len(x), -1).astype(np.float32)
    a, b = flat(targets), flat(pool)
    near = pool[(np.square(b).sum(1) - 2 * a @ b.T).argmin(1)]
    nearest = "nearest of 2,000 samples"
    table.row(
        "projection of new faces", "PSNR (dB)", "higher", found.psnr, nearest, psnr(near, targets, 255.0)
    )
    alike = lambda x: ((judge.scores(x) > 0.5) == (judge.scores(targets) > 0.5)).mean(1)
    table.row(
        "projection of new faces",
        "share of attributes kept",
        "higher",
        alike(found.images),
        nearest,
        alike(near),
    )
    gain = float((found.psnr - psnr(near, targets, 255.0)).mean())
    table.goal(
        "projections are nearer than the nearest of 2,000 samples, by 1 dB", gain >= 1, f"{gain:+.2f} dB"
    )
    table.picture(
        "way.png",
        sheet(
            [np.concatenate([w, t[None]]) for w, t in zip(found.way[:6], targets, strict=False)],
            [f"{p:.1f} dB" for p in found.psnr[:6]],
            ["start", *map(str, found.steps[1:-1]), "result", "target"],
        ),
    )
    start = Latents("z", found.latents, None)
    rows, names = [targets[:8], found.images[:8]], ["new face", "projected"]
    for name in ("glasses", "beard", "long hair"):
        if name not in supervised.names:
            continue
        far = np.full(len(targets), 3.0)
        images = decoded(network, moved(network, start, supervised, [(supervised.find(name), far)]))
        rows.append(images[:8])
        names.append(f"+ {name}")
        if name == "glasses":
            without = judge.scores(found.images)[:, KNOWN.index(name)] < 0.5
            random = found_by.random_directions(network, "z", 1)
            other = decoded(network, moved(network, start, random, [(0, far)]))
            place = KNOWN.index(name)
            has = lambda x, i=place, w=without: (judge.scores(x)[w, i] > 0.5).astype(float)
            what = f"glasses added to {int(without.sum())} projected faces without"
            table.row(
                what, "share that has them now", "higher", has(images), "a random direction", has(other)
            )
    table.picture("edited.png", sheet(rows, names))


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
