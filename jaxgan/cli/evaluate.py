"""`jaxgan evaluate`: runs, images of any origin, and two of either against each other."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxgan.cli.arguments import Positional, checkpoint, parse
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.common.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from jaxgan.metrics import Evaluation
    from jaxgan.runs.evaluation import Protocol


@dataclass(frozen=True)
class Evaluate:
    """Score runs against the data they were trained on, or images of any origin against others.

    `jaxgan evaluate RUN` scores the averaged generator of a run.

    `jaxgan evaluate --fake FOLDER --real tfds:cifar10:test` scores images of any origin.

    `jaxgan evaluate A B --compare` compares two runs; with --real, two folders or npz files.
    """

    runs: Positional[tuple[pathlib.Path, ...]] = ()
    """Folder of a run; two runs, or two sets of images, with --compare."""
    fake: str | None = None
    """Images instead of a run: a folder, zip archive, npz file, or data source."""
    real: str | None = None
    """What --fake is scored against: the same, or an npz file of mu and sigma."""
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
    with _warnings_in_lines():
        if parsed.save_reference is not None:
            _save_reference(parsed, parsed.save_reference)
        elif parsed.compare:
            _show_differences(parsed, *_score(parsed))
        else:
            _show(parsed, _score(parsed))


def _check(parsed: Evaluate) -> None:
    if parsed.n is not None and parsed.n < 2:
        raise InputError(f"n: expected at least 2 images, got {parsed.n}")
    if parsed.save_reference is not None:
        if parsed.real is None or parsed.fake is not None or parsed.runs:
            raise InputError("save-reference: expected --real SOURCE and nothing to score")
        return
    if parsed.compare:
        if len(parsed.runs) != 2 or parsed.fake is not None:
            raise InputError(f"compare: expected two runs or sets of images, got {len(parsed.runs)}")
        return
    if (parsed.fake is None) != (parsed.real is None):
        missing, given = ("fake", "real") if parsed.fake is None else ("real", "fake")
        raise InputError(f"{missing}: expected --{missing} beside --{given}, got none")
    if parsed.fake is not None and parsed.runs:
        raise InputError(f"fake: expected a run or --fake and --real, got both ({str(parsed.runs[0])!r})")
    if parsed.fake is None and len(parsed.runs) != 1:
        raise InputError(f"runs: expected one run (two with --compare), got {len(parsed.runs)}")


@contextlib.contextmanager
def _warnings_in_lines() -> Iterator[None]:
    """Warnings as one line each, at the end and without their place in the code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught if warning.category is UserWarning):
        print(f"warning: {text}", file=sys.stderr)


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
        )


def _save_reference(parsed: Evaluate, out: pathlib.Path) -> None:
    from jaxgan.metrics import save_reference
    from jaxgan.runs import evaluation

    source = evaluation.open_images(str(parsed.real), "real")
    with _protocol(parsed) as protocol:
        gaussian, settings = evaluation.reference_of(source, protocol, parsed.n)
    save_reference(out, gaussian, settings)
    print(f"wrote {out}: {settings['n']:,} images, features {settings['features']}")


def _score(parsed: Evaluate) -> list[Scored]:
    """One for given images, one for each checkpoint of a run, or the two that are compared."""
    from jaxgan.runs import evaluation

    with _protocol(parsed) as protocol:
        if parsed.fake is not None:
            pair = evaluation.evaluate_images(parsed.fake, str(parsed.real), protocol, n=parsed.n)
            return [Scored(parsed.fake, *pair)]
        if not parsed.compare:
            path, every = parsed.runs[0], parsed.checkpoint == "all"
            steps = evaluation.checkpoint_steps(path) if every else [checkpoint(parsed.checkpoint)]
            pairs = evaluation.evaluate_checkpoints(path, steps, protocol)
            return [Scored(f"step {scores['final']['step']:,}", scores, full) for scores, full in pairs]
        names = [str(path) for path in parsed.runs]
        if parsed.real is None:
            which = checkpoint(parsed.checkpoint)
            pairs = evaluation.evaluate_two_runs(parsed.runs[0], parsed.runs[1], which, protocol)
        else:
            n = parsed.n or min(len(evaluation.open_images(name, "fake")) for name in names)
            pairs = [evaluation.evaluate_images(name, parsed.real, protocol, n=n) for name in names]
        return [Scored(name, *pair) for name, pair in zip(names, pairs, strict=True)]


# --- what is printed and written -------------------------------------------------------------------


def _show(parsed: Evaluate, scored: list[Scored]) -> None:
    from jaxgan.metrics.catalogue import kind_of
    from jaxgan.report.scores import format_number
    from jaxgan.report.terminal import print_table

    if parsed.fake is None:
        print(f"run: {parsed.runs[0]}")
    for title, scores, _ in scored:
        rows = [
            (
                name,
                format_number(s["value"]),
                "" if s.get("error") is None else f"± {s['error']:.2g}",
                format_number(s["floor"]),
                kind_of(name, s).better,
                kind_of(name, s).meaning,
            )
            for name, s in scores["final"]["scores"].items()
        ]
        print(title)
        print_table(("score", "value", "± error", "floor", "better", "meaning"), rows, numbers=(1, 2, 3))
    first = next(iter(scored[-1].full.scores.values()))
    reals = f", {first.n_real:,} reals of {first.split}" if first.n_real else f"; {first.split}"
    print(f"{first.n_fake:,} fakes{reals}; features {first.features}")
    _write(parsed, scored)


def _write(parsed: Evaluate, scored: list[Scored]) -> None:
    """Leaves the scores with the run that they are of, and in the files that are asked for."""
    from jaxgan.report.run import write_report
    from jaxgan.runs.evaluation import record_evaluation
    from jaxgan.runs.folder import RunFolder

    every = [scores for _, scores, _ in scored]
    if parsed.fake is None:
        folder = RunFolder(parsed.runs[0])
        for scores in every:
            record_evaluation(folder, scores)
        write_report(folder)
    if parsed.json is not None:
        _write_json(parsed.json, every[0] if len(every) == 1 else {"checkpoints": every})
    if parsed.copies is not None:
        copies = scored[-1].full.copies
        if copies is None:
            raise InputError("copies: expected 'memorisation' among the metrics")
        save_copies(parsed.copies, copies)
        print(f"wrote {parsed.copies}: fakes, each followed by the training image that it lies closest to")


def _show_differences(parsed: Evaluate, a: Scored, b: Scored) -> None:
    from jaxgan.metrics.compare import compare
    from jaxgan.report.scores import format_number
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
    print(f"{first.n_fake:,} fakes each, {first.n_real:,} reals of {first.split}; features {first.features}")
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
