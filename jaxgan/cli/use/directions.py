"""`jaxgan directions`: what moves an image's content, among latents."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from jaxgan.cli.arguments import Positional, check_out, checkpoint, parse
from jaxgan.cli.status import warnings_in_lines
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.report import pictures

_SHOWN = 10  # directions in the picture
_LEAST = 20  # images that a classifier of attributes is trained and judged on


@dataclass(frozen=True)
class DirectionsArguments:
    """Find directions among the latents of a run, for `jaxgan edit --directions DIR/directions.npz`.

    sefa: eigenvectors of the weights that latents meet first, in closed form. ganspace: principal components of w, or
    of a layer's features with the latents that move along them. supervised: the normals of planes that part latents by
    what a classifier says of their images.

        jaxgan directions RUN --out DIR
        jaxgan directions RUN --out DIR --method supervised --classifier FILE.py:NAME
        jaxgan directions RUN --out DIR --method supervised --attributes faces/attributes.json

    DIR gets directions.npz, directions.json and directions.png, a sheet.
    """

    run: Positional[pathlib.Path]
    """Folder of the run."""
    out: pathlib.Path = pathlib.Path("directions")
    """Folder to write."""
    method: Literal["sefa", "ganspace", "supervised"] = "sefa"
    """How the directions are found."""
    space: str | None = None
    """z; or, of StyleGANs, w (the default there)."""
    k: int = 10
    """How many directions, at most as many as a latent has coordinates; supervised finds one for each attribute."""
    n: int = 2000
    """How many latents ganspace and supervised draw."""
    layer: str | None = None
    """Layer whose features ganspace in z takes; not given: the first after the one that z meets."""
    classifier: str = "auto"
    """Of supervised: mnist_cnn, trained (by `jaxgan metrics train-features` on the run's data), auto (one of these), or
    FILE.py:NAME, a function uint8 images [n, h, w, c] -> {attribute: values [n], above 0.5 where it is there}."""
    attributes: pathlib.Path | None = None
    """In place of a classifier: a JSON file {image file: {attribute: true or false}}, on which one is trained."""
    seeds: int = 3
    """Rows of the sheet for each direction."""
    reach: float = 2.5
    """How far the sheet goes, in standard deviations."""
    checkpoint: str = "last"
    """last, best, or a step."""
    trust: bool = False
    """Run code that the run brings though you have not trained with it, and follow links that lead out of it."""


def directions(args: list[str]) -> None:
    """Finds directions among the latents of a run."""
    parsed = parse(DirectionsArguments, args, "directions")
    check_out("out", parsed.out, ("",))
    check_range("k", parsed.k, at_least=1)
    check_range("seeds", parsed.seeds, at_least=1)
    check_range("reach", parsed.reach, above=0)
    if parsed.method != "supervised" and (parsed.attributes is not None or parsed.classifier != "auto"):
        raise InputError(f"classifier: expected none beside --method {parsed.method}")
    if parsed.method != "ganspace" and parsed.layer is not None:
        raise InputError(f"layer: expected none beside --method {parsed.method}")
    which = checkpoint(parsed.checkpoint)

    from jaxgan.apps.editing import directions as found_by
    from jaxgan.apps.editing.files import write_directions
    from jaxgan.apps.network import Network
    from jaxgan.runs import environment
    from jaxgan.runs.opened import Run

    environment.start()
    with warnings_in_lines():
        run = Run.at(parsed.run, which, trust=parsed.trust)
    network = Network(run)
    space: Any = network.check_space(parsed.space)
    if space == "w+":
        raise InputError("space: expected z or w for directions, got 'w+'")
    k = min(parsed.k, network.dim(space))
    if k < parsed.k and parsed.method != "supervised":
        print(f"note: {k} directions and not {parsed.k:,}, as latents of {space} have so many coordinates")
    if parsed.method == "sefa":
        found = found_by.closed_form(network, space, k)
    elif parsed.method == "ganspace":
        found = found_by.principal(network, space, k, n=parsed.n, layer=parsed.layer)
    else:
        known = classifier_of(parsed, run)
        found = found_by.supervised(network, space, known.scores, known.names, n=parsed.n)
    write_directions(parsed.out / "directions.npz", found, step=run.step)
    write_atomically(parsed.out / "directions.png", pictures.png(_sheet(network, found, parsed)))
    rows = [
        {"number": i, "name": name, found.value: float(value), "scale": float(scale)}
        for i, (name, value, scale) in enumerate(zip(found.names, found.values, found.scales, strict=True))
    ]
    about = {"method": found.method, "space": space, "step": run.step, "directions": rows}
    write_atomically(parsed.out / "directions.json", json.dumps(about, indent=1))
    for row in rows:
        print(f"{row['number']:3d}  {row['name']:20} {found.value} {row[found.value]:.4g}")
    if len(found) > _SHOWN:
        print(f"directions.png shows the first {_SHOWN} of {len(found)} directions")
    print(f"wrote {parsed.out} ({found.method}, space {space}, checkpoint of step {run.step:,})")


def classifier_of(parsed: DirectionsArguments, run: Any) -> Any:
    """The classifier (`Attributes`) that `--method supervised` asks: one that is known, or one trained for it here.

    Args:
      parsed: arguments of the command; with `attributes`, a classifier is trained on the images of that file.
      run: an open run, whose images the classifier takes.

    Raises:
      InputError: if there is none, both are given, or the file has too few images.
    """
    from jaxgan.apps import attributes
    from jaxgan.apps.editing.targets import read_attributes
    from jaxgan.config.data import open_data

    if parsed.attributes is None:
        name = run.data["name"]
        return attributes.classifier_for(
            parsed.classifier, name, lambda: open_data(run.config), run.spec.shape
        )
    if parsed.classifier != "auto":
        raise InputError("classifier: expected none beside --attributes, on which one is trained")
    images, true = read_attributes(parsed.attributes, run.spec)
    if len(images) < _LEAST:
        raise InputError(f"attributes: expected those of at least {_LEAST} images, got {len(images)}")
    order = np.random.default_rng(0).permutation(len(images))  # whose file may be sorted by an attribute
    held, rest = np.split(order, [len(images) // 5])
    said = lambda done, steps, loss: print(
        f"classifier: step {done:,} of {steps:,}, loss {loss:.3f}", flush=True
    )
    every = attributes.fit(images[rest], {k: v[rest] for k, v in true.items()}, on_progress=said)
    right = ((every.scores(images[held]) > 0.5) == np.stack([v[held] for v in true.values()], axis=1)).mean(0)
    told = ", ".join(f"{name} {share:.3f}" for name, share in zip(every.names, right, strict=True))
    print(f"classifier: accuracy on {len(held):,} held-out images: {told}")
    return every


def _sheet(network: Any, found: Any, parsed: DirectionsArguments) -> np.ndarray:
    """For each of ten directions at most, rows of seeds that move along it."""
    from jaxgan.apps.editing.edit import Latents, decoded, moved
    from jaxgan.apps.sheets import sheet

    far = np.linspace(-parsed.reach, parsed.reach, 7)
    z, labels = network.drawn(range(parsed.seeds))
    repeated = lambda x: None if x is None else np.repeat(x, len(far), axis=0)
    many = Latents("z", np.repeat(z, len(far), axis=0), repeated(labels))
    rows, names = [], []
    for i in range(min(len(found), _SHOWN)):
        images = decoded(network, moved(network, many, found, [(i, np.tile(far, parsed.seeds))]))
        rows += list(images.reshape(parsed.seeds, len(far), *images.shape[1:]))
        name = found.names[i] if found.names[i] != str(i) else ""
        names += [f"{i} {name}".strip(), *[""] * (parsed.seeds - 1)]
    return sheet(rows, names, [f"{x:+.2g}" for x in far])
