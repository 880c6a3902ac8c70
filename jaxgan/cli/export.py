"""`jaxgan export`: a run in a form for others."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

from jaxgan.cli.arguments import Positional, checkpoint, parse
from jaxgan.cli.status import warnings_in_lines


@dataclass(frozen=True)
class Export:
    """Write the averaged generator of a run to a folder: weights, a model card, and a sampler that needs JAX alone.

    Runs that translate or restore images, which `jaxgan apply` uses, have no such generator and are not exported.

    The folder has the form of a repository of the Hugging Face Hub. `python DIR/sample.py` samples without this
    package.
    """

    run: Positional[pathlib.Path]
    """Folder of the run."""
    out: pathlib.Path = pathlib.Path("export")
    """Folder to write, new or empty."""
    checkpoint: str = "last"
    """last, best, or a step."""
    license: str = "unknown"
    """Identifier of the licence of the weights, for the model card, such as cc-by-4.0."""
    trust: bool = False
    """Run code that the run brings though you have not trained with it, and follow links that lead out of it."""


def export(args: list[str]) -> None:
    """Writes the averaged generator of a run for others to use."""
    parsed = parse(Export, args, "export")
    which = checkpoint(parsed.checkpoint)

    from jaxgan.runs import environment
    from jaxgan.runs.export import export_run
    from jaxgan.runs.opened import Run

    environment.start()
    with warnings_in_lines():
        run = Run.at(parsed.run, which, trust=parsed.trust)
    export_run(run, parsed.out, licence=parsed.license)
    print(
        f"wrote {parsed.out} (checkpoint of step {run.step:,}); sample from it with: python {parsed.out / 'sample.py'}"
    )
