"""`jaxgan anomalies`: how unlike images are to those that a run was trained on."""

from __future__ import annotations

import pathlib
import sys
from dataclasses import dataclass

from jaxgan.cli.arguments import Positional, check_out, checkpoint, parse
from jaxgan.cli.status import warnings_in_lines
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError


@dataclass(frozen=True)
class Anomalies:
    """Score images by a run: scores.csv, heat maps, the most and least normal images, and a threshold.

    The threshold comes from normal images that were not trained on: those held out of the run's data, or --normal.

    A file that cannot be read is told of in a line on stderr, the others are scored, and the exit status is 2.
    """

    run: Positional[pathlib.Path]
    """Folder of the run, best of `jaxgan train fanogan`."""
    images: Positional[tuple[str, ...]]
    """Files and folders of images, or a data source such as mnist."""
    out: pathlib.Path = pathlib.Path("anomalies")
    """Folder to write."""
    method: str | None = None
    """izi_f, egbad, reconstruction, anogan, discriminator or pca; None: the first that the run's networks can give."""
    rate: float = 0.05
    """Share of normal images that the threshold may call anomalous."""
    normal: str | None = None
    """Normal images to find the threshold with: a folder or source; None: what is held out of the run's data."""
    n_normal: int = 5000
    """How many of the normal images are used, at most."""
    split: str = "test"
    """Split of a data source that has splits."""
    limit: int | None = None
    """How many of the images are scored, chosen at random; None: all."""
    search_steps: int = 500
    """Steps of the search of anogan."""
    search_starts: int = 1
    """How many latents that search starts from; the best end counts."""
    maps: int = 64
    """How many heat maps are written, of the images that score most."""
    checkpoint: str = "last"
    """last, best, or a step."""
    data_source: str | None = None
    """Where the run's data are to be found now, if they have moved."""
    trust: bool = False
    """Run code that the run brings though you have not trained with it, and follow links that lead out of it."""


def anomalies(args: list[str]) -> int:
    """Scores images, and writes what was found; 2 if one of them could not be read."""
    parsed = parse(Anomalies, args, "anomalies")
    if not parsed.images:
        raise InputError("images: expected files, folders or a data source, got none")
    check_range("rate", parsed.rate, above=0, below=1)
    for name in ("n_normal", "search_steps", "search_starts"):
        check_range(name, getattr(parsed, name), at_least=1)
    check_range("limit", parsed.limit, at_least=1)
    check_range("maps", parsed.maps, at_least=0)
    check_out("out", parsed.out, ("",))
    which = checkpoint(parsed.checkpoint)

    from jaxgan.apps.anomalies.curves import threshold
    from jaxgan.apps.anomalies.detector import METHODS, Detector, methods_of
    from jaxgan.apps.anomalies.images import read_images
    from jaxgan.apps.anomalies.judged import in_lines, write
    from jaxgan.apps.anomalies.normal import data_of, unseen
    from jaxgan.common.progress import Progress
    from jaxgan.runs import environment
    from jaxgan.runs.opened import Run

    environment.start()
    with warnings_in_lines():
        run = Run.at(parsed.run, which, trust=parsed.trust)
        if parsed.method not in (None, *METHODS):
            Detector(run, parsed.method)  # raises, before images are read
        given = read_images(parsed.images, run.spec, split=parsed.split, limit=parsed.limit, out=parsed.out)
        method = parsed.method or next(iter(methods_of(run)), None)
        needs_data = parsed.normal is None or method == "pca"
        source = data_of(run, parsed.data_source) if needs_data else None
        if parsed.normal is None:
            assert source is not None
            normal = unseen(source, parsed.n_normal)
        else:
            own = read_images([parsed.normal], run.spec, limit=parsed.n_normal, out=parsed.out)
            normal = own.images
            given.notes += [f"of the normal images: {note}" for note in own.notes]
            given.changed += [f"of the normal images: {note}" for note in own.changed]
            given.broken += [f"of the normal images: {why}" for why in own.broken]
    detector = Detector(run, method, source=source, steps=parsed.search_steps, starts=parsed.search_starts)
    with Progress() as progress:
        calibrated = detector(normal, lambda done, of: progress.count("normal images", done, of, ""))
        limit = threshold(calibrated.scores, parsed.rate)
        scored = detector(given.images, lambda done, of: progress.count("images", done, of, ""))
    facts = {
        "run": str(parsed.run),
        "step": run.step,
        "method": detector.method,
        "says": METHODS[detector.method].says,
    }
    found = write(parsed.out, given, scored, limit, run.data["class_names"], facts, maps=parsed.maps)
    for line in in_lines(found):
        print(line, file=sys.stderr if line in given.broken else sys.stdout)
    maps = "" if scored.rebuilt is None or not parsed.maps else ", maps/"
    print(f"wrote {parsed.out}/: anomalies.html, scores.csv, most-normal.png, least-normal.png{maps}")
    return 2 if given.broken else 0
