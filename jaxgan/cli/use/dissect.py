"""`jaxgan dissect`: what units of a generator stand for, and images without them."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass
from typing import Any, Literal

from jaxgan.cli.arguments import Positional, check_out, checkpoint, parse
from jaxgan.cli.status import warnings_in_lines
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.common.user_files import is_file


@dataclass(frozen=True)
class Dissect:
    """Find the units of a layer that agree with concepts, and see what images are without them.

    Concepts are built in (colour, edge, foreground, region), what a classifier sees (class: its classes, where it finds
    them), or a function of your own: FILE.py:NAME takes uint8 images [n, h, w, c] and gives {concept: mask bool
    [n, h, w]}.

        jaxgan dissect RUN --out DIR
        jaxgan dissect RUN --out DIR --concepts segments.py:face_parts --units 4 --choose effect

    DIR gets dissection.html and dissection.json.
    """

    run: Positional[pathlib.Path]
    """Folder of the run."""
    out: pathlib.Path = pathlib.Path("dissection")
    """Folder to write."""
    concepts: tuple[str, ...] = ("colour", "edge", "foreground", "region")
    """colour, edge, foreground, region, class, or FILE.py:NAME; several are allowed."""
    classifier: str = "auto"
    """For class: mnist_cnn, trained (by `jaxgan metrics train-features` on the run's data) or auto, one of these."""
    layer: str | None = None
    """The layer; not given: the last one with maps of about a quarter of the image's sides. A wrong name lists all."""
    n: int = 400
    """Images that agreement is measured on; a quarter as many others show what changes."""
    units: int = 4
    """Units that are silenced or forced together."""
    choose: Literal["agreement", "effect", "both"] = "agreement"
    """Units of a concept: those that agree best with it, or whose silence alone takes most of it (slower), or both."""
    checkpoint: str = "last"
    """last, best, or a step."""
    trust: bool = False
    """Run code that the run brings though you have not trained with it, and follow links that lead out of it."""


def dissect(args: list[str]) -> None:
    """Dissects a layer of a run's generator."""
    parsed = parse(Dissect, args, "dissect")
    check_out("out", parsed.out, ("",))
    check_range("n", parsed.n, at_least=8)
    check_range("units", parsed.units, at_least=1)
    if not parsed.concepts:
        raise InputError("concepts: expected at least one, got none")
    which = checkpoint(parsed.checkpoint)

    from jaxgan.apps.dissect.dissect import dissect as find
    from jaxgan.apps.dissect.page import told, write_page
    from jaxgan.apps.network import Network
    from jaxgan.runs import environment
    from jaxgan.runs.opened import Run

    environment.start()
    with warnings_in_lines():
        run = Run.at(parsed.run, which, trust=parsed.trust)
    network = Network(run)
    segment = _segmenter(parsed, run)
    choose = ("agreement", "effect") if parsed.choose != "agreement" else ("agreement",)
    said = lambda text: print(text, flush=True)
    found = find(
        network, segment, layer=parsed.layer, n=parsed.n, units=parsed.units, choose=choose, poll=said
    )
    if parsed.choose == "effect":
        kept = [x for x in found.interventions if x.chosen_by == "effect" or x.how == "forced"]
        after = {(x.concept, x.how, x.chosen_by): found.after[x.concept, x.how, x.chosen_by] for x in kept}
        found = found._replace(interventions=kept, after=after)
    name = pathlib.Path(parsed.run).resolve().name
    facts = {"run": name, "step": f"{run.step:,}"}
    write_atomically(parsed.out / "dissection.html", write_page(found, f"Dissection of {name}", facts))
    write_atomically(
        parsed.out / "dissection.json", json.dumps(told(found, run=name, step=run.step), indent=1)
    )
    for x in found.interventions:
        print(
            f"{x.concept:24} units {','.join(map(str, x.units)):14} {x.how:7} by {x.chosen_by:9} "
            f"area {100 * x.effect.before:.2f} % -> {100 * x.effect.after:.2f} % "
            f"(random units {100 * (x.effect.before + x.random[0]):.2f} %)"
        )
    if not found.interventions:
        print("no units are silenced or forced: none agree with a concept that differs from image to image")
    print(f"wrote {parsed.out} (layer {found.layer}, checkpoint of step {run.step:,})")


def _segmenter(parsed: Dissect, run: Any) -> Any:
    from jaxgan.apps.attributes import classifier_for
    from jaxgan.apps.dissect.concepts import built_in, class_evidence, own_segmenter, together
    from jaxgan.config.data import open_data

    plain = [name for name in parsed.concepts if not is_file(name) and name != "class"]
    segmenters = built_in(plain)
    segmenters += [own_segmenter(name) for name in parsed.concepts if is_file(name)]
    if "class" in parsed.concepts:
        name = run.data["name"]
        known = classifier_for(parsed.classifier, name, lambda: open_data(run.config), run.spec.shape)
        segmenters.append(class_evidence(known))
    elif parsed.classifier != "auto":
        raise InputError("classifier: expected none without the concept 'class'")
    return together(segmenters)
