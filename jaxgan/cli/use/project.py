"""`jaxgan project`: latents of real images."""

from __future__ import annotations

import json
import pathlib
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import tyro

from jaxgan.cli.arguments import Positional, check_out, checkpoint, parse
from jaxgan.cli.status import warnings_in_lines
from jaxgan.common.errors import InputError
from jaxgan.common.files import printable, write_atomically
from jaxgan.report import pictures

_SHOWN = 16  # ways in the picture of all


@dataclass(frozen=True)
class Project:
    """Find latents of real images: what the generator of a run makes that is nearest to them.

    For each image NAME, DIR gets NAME.npz (the latent, for `jaxgan edit --latent`) and NAME.png (what the generator
    makes of it), and way.png shows the ways: start, steps, result, target. projections.json has the PSNR of each.
    A file of a folder that cannot be read is told of in a line on stderr, the others are projected, and the exit status
    is 2.

        jaxgan project RUN photo.jpg --out DIR
        jaxgan project RUN photos/ --out DIR --space w+ --features efficientnet_lite0
    """

    run: Positional[pathlib.Path]
    """Folder of the run."""
    images: Positional[tuple[pathlib.Path, ...]] = ()
    """Image files, or folders of them, of any size: the central part is scaled to the size of the run's images."""
    out: pathlib.Path = pathlib.Path("projected")
    """Folder to write."""
    space: str | None = None
    """z; or, of StyleGANs, w (the default there, without an encoder) or w+, which gives every layer its own style."""
    steps: int = 200
    """Steps of the search; 0 takes the nearest start as it is."""
    starts: int = 4
    """Starts of each image, all searched at once; the best end is taken. In z the first one is what the run's encoder
    makes of the image, where it has one: --starts 1 --steps 0 is projection by the encoder alone."""
    learning_rate: float = 0.1
    """Learning rate of Adam, in standard deviations of latents."""
    pixels: float = 1.0
    """Weight of the mean squared difference of pixels, beside the distance of feature maps."""
    prior: float = 0.01
    """Weight of the term that keeps z where draws of the prior lie."""
    features: str = "auto"
    """Network of the feature maps: auto, efficientnet_lite0, mnist_cnn, random_cnn or none (pixels alone)."""
    weights: str = ""
    """File of the weights of efficientnet_lite0, where they cannot be downloaded."""
    class_: Annotated[str | None, tyro.conf.arg(name="class")] = None
    """Class of the images, by name or number, for a conditional run; not given: starts try the nearest ones."""
    truncation: float | None = None
    """Truncation, as of `jaxgan sample`."""
    seed: int = 0
    """Seed of the starts."""
    checkpoint: str = "last"
    """last, best, or a step."""
    trust: bool = False
    """Run code that the run brings though you have not trained with it, and follow links that lead out of it."""


def project(args: list[str]) -> int:
    """Finds latents of real images; 2 if a file of a folder could not be read."""
    parsed = parse(Project, args, "project")
    if not parsed.images:
        raise InputError("images: expected at least one file, got none")
    check_out("out", parsed.out, ("",))
    which = checkpoint(parsed.checkpoint)

    from jaxgan.apps.editing.project import Search
    from jaxgan.apps.editing.project import project as find
    from jaxgan.apps.editing.targets import WAY, read_targets
    from jaxgan.apps.network import Network
    from jaxgan.data.labels import parsed_classes
    from jaxgan.runs import environment
    from jaxgan.runs.opened import Run

    search = Search(
        parsed.steps, parsed.starts, parsed.learning_rate, parsed.pixels, parsed.prior, parsed.seed
    )
    environment.start()
    with warnings_in_lines():
        run = Run.at(parsed.run, which, trust=parsed.trust)
    network = Network(run, parsed.truncation)
    names, targets, files, notes, broken = read_targets(parsed.images, run.spec, parsed.out)
    for note in notes:
        print(note, flush=True)
    for why in broken:
        print(why, file=sys.stderr, flush=True)
    label = None
    if parsed.class_ is not None:
        if not network.n_classes:
            raise InputError("class: expected none, as this generator is not conditional")
        label, *more = parsed_classes(parsed.class_, run.data["class_names"])
        if more:
            raise InputError(f"class: expected one, got {parsed.class_!r}")
    said = lambda step, steps, loss: print(
        f"step {step:,} of {steps:,} of the search: distance {loss:.4f}", flush=True
    )
    found = find(
        network, targets, parsed.space, search, label=label, features=parsed.features, weights=parsed.weights,
        on_step=said if parsed.steps else None,
    )  # fmt: skip
    _write(parsed.out, run, names, files, found)
    for name, before, after in zip(names, found.start_psnr, found.psnr, strict=True):
        print(
            f"{name}: PSNR {after:.2f} dB ({f'start {before:.2f}' if parsed.steps else 'without a search'})"
        )
    by = "pixels alone" if found.features == "none" else f"pixels and {found.features}"
    print(f"wrote {parsed.out} (space {found.space}, compared by {by}, checkpoint of step {run.step:,})")
    if len(names) > _SHOWN:
        print(f"{WAY}.png shows the first {_SHOWN} of {len(names):,} images")
    return 2 if broken else 0


def _write(out: pathlib.Path, run: Any, names: list[str], files: list[pathlib.Path], found: Any) -> None:
    from jaxgan.apps.editing.files import write_latents
    from jaxgan.apps.editing.targets import WAY
    from jaxgan.apps.sheets import sheet

    rows = {}
    for i, name in enumerate(names):
        label = None if found.labels is None else found.labels[i : i + 1]
        told = {"psnr": float(found.psnr[i]), "features": found.features, "step": run.step}
        write_latents(out / f"{name}.npz", found.space, found.latents[i : i + 1], label, **told)
        write_atomically(out / f"{name}.png", pictures.png(found.images[i]))
        rows[name] = {
            "file": printable(files[i]),
            "psnr": told["psnr"],
            "start_psnr": float(found.start_psnr[i]),
            "space": found.space,
        }
        if label is not None:
            rows[name]["class"] = int(label[0])
    about = {"features": found.features, "step": run.step, "images": rows}
    write_atomically(out / "projections.json", json.dumps(about, indent=1))
    ways = [np.concatenate([w, t[None]]) for w, t in zip(found.way, found.targets, strict=True)][:_SHOWN]
    heads = ["start", *map(str, found.steps[1:-1]), "result", "target"]
    heads = heads if len(found.steps) > 1 else heads[1:]
    told = [f"{n[:24]}  {p:.1f} dB" for n, p in zip(names, found.psnr, strict=True)][:_SHOWN]
    write_atomically(out / f"{WAY}.png", pictures.png(sheet(ways, told, heads)))
