"""`jaxgan evaluate`: runs, images of any origin, and two of either against each other."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import tyro

from jaxgan.cli.arguments import Positional, check_out, checkpoint, flags_named_for, parse
from jaxgan.cli.status import warnings_in_lines
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.common.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from jaxgan.data import Images
    from jaxgan.metrics import Evaluation
    from jaxgan.runs.evaluation import Protocol


@dataclass(frozen=True)
class Evaluate:
    """Score runs against the data they were trained on, or images of any origin against others.

    A source of images is a folder, a zip or tar archive, an npz file or the name of data, on both sides.

        jaxgan evaluate RUN                                         the averaged generator of a run
        jaxgan evaluate --fake FOLDER --real tfds:cifar10:test      images of any origin
        jaxgan evaluate A B --compare                               two runs
        jaxgan evaluate A B --compare --real photos/ --resolution 64        two sets of images
    """

    runs: Positional[tuple[pathlib.Path, ...]] = ()
    """Folder of a run; two runs, or two sets of images, with --compare."""
    fake: str | None = None
    """Images instead of a run: a folder, zip or tar archive, npz file, or data source."""
    real: str | None = None
    """What --fake is scored against: the same, or an npz file of mu and sigma."""
    resolution: int | None = None
    """Scale and centre-crop the given images, fakes and reals, to this many pixels a side."""
    channels: int | None = None
    """Make the given images grey (1), grey and alpha (2), RGB (3) or RGBA (4)."""
    skip_broken: bool = False
    """Leave broken files of the given images out."""
    follow_links: bool = False
    """Follow links that lead out of folders of the given images."""
    keep_classes: str = ""
    """Only examples of these classes among the reals, by name or number, such as 0-8 or cat,dog."""
    compare: bool = False
    """Score both and give the differences B - A with 95 % intervals."""
    checkpoint: str = "last"
    """last, best, a step, or all."""
    metrics: str | None = None
    """Which scores, with commas: `jaxgan metrics` lists them. fid, kid and sfid mean Inception's features."""
    features: str = "auto"
    """auto, inception, dinov2_vits14, dinov2_vitl14, mnist_cnn, trained, random_cnn, or FILE.py:FUNCTION."""
    inception_weights: pathlib.Path | None = None
    """File of Inception's weights, where they cannot be downloaded."""
    weights: pathlib.Path | None = None
    """The same for the other pretrained networks."""
    n: int | None = None
    """Generated images: 10,000 by default; of given images, all."""
    n_real: int | None = None
    """Reals to score against: as many as fakes by default. With --save-reference, all by default."""
    trust: bool = False
    """Run code that the run brings though you have not trained with it, and follow links that lead out of it."""
    data_source: Annotated[str | None, tyro.conf.arg(name="data.source")] = None
    """Where the data of the runs are now, such as folder:PATH; what is in them is checked."""
    json: pathlib.Path | None = None
    """Also write the scores, with their protocol, to this file."""
    copies: pathlib.Path | None = None
    """With the memorisation score: write a picture of the fakes closest to training images, beside these."""
    save_reference: pathlib.Path | None = None
    """Write mean and covariance of the reals' features to this npz file (with --real, and without --fake)."""


class Scored(NamedTuple):
    """The scores of one generator or set of images: its title, as scores.json has them, and in full."""

    title: str
    scores: dict[str, Any]
    full: Evaluation


def evaluate(args: list[str]) -> None:
    """Scores runs or images, or compares two of them."""
    parsed = parse(Evaluate, args, "evaluate")
    _check(parsed)

    from jaxgan.runs import environment

    environment.start()
    with flags_named_for(Evaluate, of_a_run=parsed.real is None), warnings_in_lines():
        if parsed.save_reference is not None:
            _save_reference(parsed, parsed.save_reference)
            return
        scored = _score(parsed)
        used = max(score.n_fake for score in scored[0].full.scores.values())
        if parsed.n not in (None, used):
            warnings.warn(
                f"n: {parsed.n:,} fakes were asked for, and these scores are of {used:,}", stacklevel=2
            )
        if parsed.compare:
            _show_differences(parsed, *scored)
        else:
            _show(parsed, scored)


def _check(parsed: Evaluate) -> None:
    for name, n in (("n", parsed.n), ("n-real", parsed.n_real)):
        check_range(name, n, at_least=2, unit="images")
    if parsed.checkpoint != "all" or parsed.compare:
        checkpoint(parsed.checkpoint, *([] if parsed.compare else ["all"]))
    for name, path, suffixes in (
        ("json", parsed.json, ()),
        ("copies", parsed.copies, (".png",)),
        ("save-reference", parsed.save_reference, (".npz",)),
    ):
        if path is not None:
            check_out(name, path, suffixes)
    if parsed.copies is not None:
        if parsed.compare or parsed.save_reference is not None:
            raise InputError("copies: expected one run, or --fake and --real, to be scored")
        if not _memorisation(parsed.metrics):
            raise InputError("copies: expected 'memorisation' among the metrics")
    if parsed.checkpoint != "last" and parsed.real is not None:
        raise InputError(
            f"checkpoint: expected runs, whose checkpoints these are, got images ({parsed.real!r})"
        )
    if parsed.trust and (parsed.fake is not None or parsed.real is not None):
        raise InputError("trust: expected runs, which may bring code, got images")
    if parsed.data_source is not None and (parsed.fake is not None or parsed.real is not None):
        raise InputError("data.source: expected runs, whose data these are, got images; --real names theirs")
    if parsed.real is None:
        asked = {
            "resolution": parsed.resolution,
            "channels": parsed.channels,
            "skip-broken": parsed.skip_broken,
            "follow-links": parsed.follow_links,
            "keep-classes": parsed.keep_classes,
        }
        if named := next((name for name, value in asked.items() if value), None):
            raise InputError(
                f"{named}: expected --real beside --{named}; a run is scored on the data that it was trained on"
            )
    if parsed.save_reference is not None:
        if parsed.real is None or parsed.fake is not None or parsed.runs:
            raise InputError("save-reference: expected --real SOURCE and nothing to score")
        unused = {"n": parsed.n, "metrics": parsed.metrics, "json": parsed.json}
        if named := next((name for name, value in unused.items() if value is not None), None):
            raise InputError(
                f"{named}: expected none beside --save-reference, which scores nothing; --n-real says of how many reals"
            )
        return
    if parsed.compare:
        if len(parsed.runs) != 2 or parsed.fake is not None:
            raise InputError(f"compare: expected two runs or sets of images, got {len(parsed.runs)}")
        return
    if (parsed.fake is None) != (parsed.real is None):
        missing, given = ("fake", "real") if parsed.fake is None else ("real", "fake")
        if parsed.runs and parsed.fake is None:
            raise InputError(
                f"real: expected none for a run, which is scored on the data that it was trained on, got "
                f"{parsed.real!r}; if they lie there now: --data.source {parsed.real}"
            )
        raise InputError(f"{missing}: expected --{missing} beside --{given}, got none")
    if parsed.fake is not None and parsed.runs:
        raise InputError(f"fake: expected a run or --fake and --real, got both ({str(parsed.runs[0])!r})")
    if parsed.fake is None and len(parsed.runs) != 1:
        raise InputError(f"runs: expected one run (two with --compare), got {len(parsed.runs)}")


def _memorisation(metrics: str | None) -> bool:
    """Whether these metrics find the fakes that lie closest to training images."""
    from jaxgan.metrics.image_scores import parse_metrics

    return metrics is not None and "memorisation" in parse_metrics(metrics)


# --- what is computed ------------------------------------------------------------------------------


@contextlib.contextmanager
def _protocol(parsed: Evaluate) -> Iterator[Protocol]:
    """What is asked for; progress is shown until the context is left."""
    from jaxgan.runs.evaluation import Protocol

    inception = parsed.inception_weights is not None and parsed.features == "auto"
    with Progress(sys.stderr) as progress:
        yield Protocol(
            n=10000 if parsed.n is None else parsed.n,
            metrics=parsed.metrics,
            features="inception" if inception else parsed.features,
            weights=parsed.inception_weights or parsed.weights,
            notify=progress.count,
            n_real=parsed.n_real,
        )


def _save_reference(parsed: Evaluate, out: pathlib.Path) -> None:
    from jaxgan.metrics import save_reference
    from jaxgan.runs import evaluation

    source = _open(parsed, str(parsed.real), "real")
    with _protocol(parsed) as protocol:
        gaussian, settings = evaluation.reference_of(source, protocol)
    save_reference(out, gaussian, settings)
    print(f"wrote {out}: {settings['n']:,} images, features {settings['features']}")


def _as_opened(parsed: Evaluate) -> dict[str, Any]:
    """How given images are opened."""
    return {
        "resolution": parsed.resolution,
        "channels": parsed.channels,
        "skip_broken": parsed.skip_broken,
        "follow_links": parsed.follow_links,
        "keep_classes": parsed.keep_classes,
    }


def _open(parsed: Evaluate, spec: str, name: str) -> Images:
    from jaxgan.runs import evaluation

    opened: dict[str, Any] = _as_opened(parsed) | ({} if name == "real" else {"keep_classes": ""})
    return evaluation.open_images(spec, name, **opened)


def _score(parsed: Evaluate) -> list[Scored]:
    """One for given images, one for each checkpoint of a run, or the two that are compared."""
    from jaxgan.runs import evaluation

    with _protocol(parsed) as protocol:
        if parsed.fake is not None:
            pair = evaluation.evaluate_images(
                parsed.fake, str(parsed.real), protocol, n=parsed.n, **_as_opened(parsed)
            )
            return [Scored(parsed.fake, *pair)]
        if not parsed.compare:
            path, every = parsed.runs[0], parsed.checkpoint == "all"
            steps = _every(path) if every else [checkpoint(parsed.checkpoint, "all")]
            pairs = evaluation.evaluate_checkpoints(
                path, steps, protocol, parsed.data_source, trust=parsed.trust
            )
            return [Scored(f"step {scores['final']['step']:,}", scores, full) for scores, full in pairs]
        names = [str(path) for path in parsed.runs]
        if parsed.real is None:
            which = checkpoint(parsed.checkpoint)
            a, b = parsed.runs
            pairs = evaluation.evaluate_two_runs(
                a, b, which, protocol, parsed.data_source, trust=parsed.trust
            )
        else:
            n = parsed.n or min(len(_open(parsed, name, "fake")) for name in names)
            opened = _as_opened(parsed)
            pairs = [evaluation.evaluate_images(name, parsed.real, protocol, n=n, **opened) for name in names]
        return [Scored(name, *pair) for name, pair in zip(names, pairs, strict=True)]


def _every(path: pathlib.Path) -> list[int]:
    """The steps of all checkpoints of a run. Raises InputError if there are none."""
    from jaxgan.runs.folder import RunFolder
    from jaxgan.runs.opened import saved_steps

    folder = RunFolder(path)
    folder.facts()
    if steps := saved_steps(folder):
        return steps
    raise InputError(f"run: {str(path)!r} has no checkpoint")


# --- what is printed and written -------------------------------------------------------------------


def _show(parsed: Evaluate, scored: list[Scored]) -> None:
    from jaxgan.metrics.catalogue import kind_of
    from jaxgan.report.scores import (
        format_number,
        held_out_line,
        protocol_of,
        reasons,
        why_missing,
        with_error,
    )
    from jaxgan.report.terminal import print_table

    if parsed.fake is None:
        print(f"run: {parsed.runs[0]}")
    for title, scores, _ in scored:
        rows = [
            (
                name,
                *[*with_error(s).split(" ± "), ""][:2],
                format_number(s["floor"]),
                kind_of(name, s).better,
                kind_of(name, s).meaning,
            )
            for name, s in scores["final"]["scores"].items()
        ]
        print(title)
        print_table(("score", "value", "± error", "real data", "better", "meaning"), rows, numbers=(1, 2, 3))
        if line := held_out_line(scores["final"]):
            print(line)
    last = scored[-1].scores["final"]["scores"]
    for line in reasons({name: why_missing(s) for name, s in last.items()}):
        print(line)
    print(protocol_of(next(iter(last.values()))))
    _write(parsed, scored)


def _write(parsed: Evaluate, scored: list[Scored]) -> None:
    """Leaves the scores with the run that they are of, and in the files that are asked for."""
    from jaxgan.report.run import write_report
    from jaxgan.runs.evaluation import record_evaluation
    from jaxgan.runs.folder import RunFolder

    every = [scores for _, scores, _ in scored]
    if parsed.json is not None:
        _write_json(parsed.json, every[0] if len(every) == 1 else {"checkpoints": every})
    if parsed.copies is not None:
        copies = scored[-1].full.copies
        if copies is None:  # they were left out, which a warning says
            raise InputError("copies: expected 'memorisation' among the metrics")
        save_copies(parsed.copies, copies)
        print(f"wrote {parsed.copies}: fakes, each followed by the training image that it lies closest to")
    if parsed.fake is None:
        folder = RunFolder(parsed.runs[0])
        try:
            for scores in every:
                record_evaluation(folder, scores)
            write_report(folder)
        except OSError as error:
            kept = "" if parsed.json is not None else "; --json FILE keeps the scores"
            print(f"note: nothing was written in the run ({error.strerror or error}){kept}", file=sys.stderr)


def _show_differences(parsed: Evaluate, a: Scored, b: Scored) -> None:
    from jaxgan.metrics.compare import compare
    from jaxgan.report.scores import format_number, protocol_of
    from jaxgan.report.terminal import print_table

    differences, rows = compare(a.full, b.full), []
    for name, d in differences.items():
        interval, verdict = "–", "–"
        if d.interval is not None:
            interval = " to ".join(map(format_number, d.interval))
            verdict = d.winner.upper() or "no difference shown"
        rows.append((name, *map(format_number, (d.a, d.b, d.difference)), interval, verdict))
    print(f"A: {a.title}\nB: {b.title}")
    print_table(("score", "A", "B", "B - A", "95 % interval", "better"), rows, numbers=(1, 2, 3))
    first = next(iter(a.full.scores.values()))
    print(protocol_of(first.to_json()).replace(" fakes", " fakes each", 1))
    if parsed.json is not None:
        values = {
            name: {"a": d.a, "b": d.b, "difference": d.difference, "interval": d.interval}
            for name, d in differences.items()
        }
        _write_json(parsed.json, {"a": a.scores, "b": b.scores, "differences": values})


def _write_json(path: pathlib.Path, value: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(value, indent=1) + "\n")
    print(f"wrote {path}")


def save_copies(path: pathlib.Path, copies: tuple[np.ndarray, np.ndarray]) -> None:
    """Writes a picture of fakes, each followed by the training image that it lies closest to.

    Args:
      path: a PNG file.
      copies: the fakes and these training images, uint8 [n, h, w, c] each.
    """
    import numpy as np

    from jaxgan.report import pictures

    fakes, reals = copies
    pairs = np.stack([fakes, reals], axis=1).reshape(-1, *fakes.shape[1:])
    write_atomically(path, pictures.png(pictures.enlarged(pictures.grid(pairs, columns=8))))
