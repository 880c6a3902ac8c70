"""`jaxgan evaluate`: runs, images of any origin, and two of either against each other."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from jaxgan.cli.arguments import parse
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.metrics import Evaluation, save_reference
from jaxgan.metrics.catalogue import kind_of
from jaxgan.metrics.compare import compare
from jaxgan.report import pictures
from jaxgan.report.run import write_report
from jaxgan.report.scores import format_number
from jaxgan.runs import environment, evaluation
from jaxgan.runs.evaluation import checkpoint_steps, record_evaluation
from jaxgan.runs.folder import RunFolder

Positional = tyro.conf.Positional
_SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class _Evaluate:
    """Score runs against the data they were trained on, or images of any origin against others.

    jaxgan evaluate RUN                                   the averaged generator of a run
    jaxgan evaluate --fake FOLDER --real tfds:cifar10:test    images of any origin
    jaxgan evaluate A B --compare                         two runs, or folders and npz files with --real
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


def evaluate(args: list[str]) -> None:
    """Prints scores."""
    parsed = parse(_Evaluate, args, "evaluate")
    _check(parsed)
    environment.start()
    protocol = evaluation.Protocol(
        n=10000 if parsed.n is None else parsed.n,
        metrics=parsed.metrics,
        features="inception" if parsed.inception_weights and parsed.features == "auto" else parsed.features,
        weights=parsed.inception_weights or parsed.weights,
        notify=_Progress(),
    )
    with _warnings_in_lines():
        if parsed.save_reference is not None:
            _save_reference(parsed, protocol)
        elif parsed.compare:
            _compare(parsed, protocol)
        elif parsed.fake is not None:
            scores, full = evaluation.evaluate_images(parsed.fake, str(parsed.real), protocol, n=parsed.n)
            _show([(parsed.fake, scores)])
            _write(parsed, scores, full)
        else:
            _runs(parsed, protocol)


@contextlib.contextmanager
def _warnings_in_lines() -> Iterator[None]:
    """Warnings as one line each, at the end and without their place in the code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught if warning.category is UserWarning):
        print(f"warning: {text}", file=sys.stderr)


def _check(parsed: _Evaluate) -> None:
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


def _runs(parsed: _Evaluate, protocol: evaluation.Protocol) -> None:
    path = parsed.runs[0]
    steps = checkpoint_steps(path) if parsed.checkpoint == "all" else [checkpoint(parsed.checkpoint)]
    results = evaluation.evaluate_checkpoints(path, steps, protocol)
    print(f"run: {path}")
    _show([(f"step {scores['final']['step']:,}", scores) for scores, _ in results])
    for scores, _ in results:
        record_evaluation(RunFolder(path), scores)
    write_report(RunFolder(path))
    if len(results) == 1:
        _write(parsed, *results[0])
    else:
        _write(parsed, {"checkpoints": [scores for scores, _ in results]}, results[-1][1])


def checkpoint(text: str) -> str | int:
    """The value of --checkpoint for one of them. Raises InputError for anything else."""
    if text in ("last", "best"):
        return text
    if text.isdigit():
        return int(text)
    raise InputError(f"checkpoint: expected 'last', 'best' or a step, got {text!r}")


def _save_reference(parsed: _Evaluate, protocol: evaluation.Protocol) -> None:
    assert parsed.save_reference is not None
    source = evaluation.open_images(str(parsed.real), "real")
    gaussian, settings = evaluation.reference_of(source, protocol, parsed.n)
    save_reference(parsed.save_reference, gaussian, settings)
    print(f"wrote {parsed.save_reference}: {settings['n']:,} images, features {settings['features']}")


def _compare(parsed: _Evaluate, protocol: evaluation.Protocol) -> None:
    names = [str(path) for path in parsed.runs]
    if parsed.real is not None:
        n = parsed.n or min(len(evaluation.open_images(name, "fake")) for name in names)
        results = [evaluation.evaluate_images(name, parsed.real, protocol, n=n) for name in names]
    else:
        which = checkpoint(parsed.checkpoint)
        results = evaluation.evaluate_two_runs(parsed.runs[0], parsed.runs[1], which, protocol)
    differences = compare(results[0][1], results[1][1])
    table = _table("score", "A", "B", "B - A", "95 % interval", "better")
    for name, d in differences.items():
        interval, verdict = "–", "–"
        if d.interval is not None:
            interval = f"{' to '.join(map(format_number, d.interval))}{' (paired)' * d.paired}"
            verdict = d.winner.upper() or "no difference shown"
        table.add_row(name, *map(format_number, (d.a, d.b, d.difference)), interval, verdict)
    console = _console()
    console.print(f"A: {names[0]}\nB: {names[1]}")
    console.print(table)
    first = next(iter(results[0][1].scores.values()))
    console.print(
        f"{first.n_fake:,} fakes each, {first.n_real:,} reals of {first.split}; features {first.features}"
    )
    if parsed.json is not None:
        values = {
            name: {"a": d.a, "b": d.b, "difference": d.difference, "interval": d.interval, "paired": d.paired}
            for name, d in differences.items()
        }
        result = {"a": results[0][0], "b": results[1][0], "differences": values}
        write_atomically(parsed.json, json.dumps(result, indent=1) + "\n")
        print(f"wrote {parsed.json}")


# --- what is printed -----------------------------------------------------------------------------------


def _console() -> Console:
    width = None if sys.stdout.isatty() else 120
    return Console(highlight=False, soft_wrap=True, markup=False, width=width)


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        text = name in ("score", "better", "meaning", "95 % interval")
        table.add_column(name, justify="left" if text else "right", no_wrap=name != "meaning")
    return table


def _show(results: list[tuple[str, dict[str, Any]]]) -> None:
    console = _console()
    for title, scores in results:
        console.print(title)
        table = _table("score", "value", "± error", "floor", "better", "meaning")
        for name, s in scores["final"]["scores"].items():
            error = "" if s.get("error") is None else f"± {s['error']:.2g}"
            kind, numbers = kind_of(name, s), [format_number(s[which]) for which in ("value", "floor")]
            table.add_row(name, numbers[0], error, numbers[1], kind.better, kind.meaning)
        console.print(table)
    first = next(iter(results[-1][1]["final"]["scores"].values()))
    reals = f", {first['n_real']:,} reals of {first['split']}" if first["n_real"] else f"; {first['split']}"
    console.print(f"{first['n_fake']:,} fakes{reals}; features {first['features']}")


def _write(parsed: _Evaluate, scores: dict[str, Any], full: Evaluation) -> None:
    if parsed.json is not None:
        write_atomically(parsed.json, json.dumps(scores, indent=1) + "\n")
        print(f"wrote {parsed.json}")
    if parsed.copies is not None:
        if full.copies is None:
            raise InputError("copies: expected 'memorisation' among the metrics")
        save_copies(parsed.copies, full.copies)
        print(f"wrote {parsed.copies}: fakes, each followed by the training image that it lies closest to")


class _Progress:
    """One line that is written over on a terminal; elsewhere a line now and then."""

    def __init__(self) -> None:
        self._what, self._begun, self._printed = "", 0.0, 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """As of `jaxgan.metrics.score.Notify`."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._begun, self._printed = what, now, now
        live = sys.stderr.isatty()
        if not live and now - self._printed < _SECONDS_BETWEEN_LINES:
            return
        self._printed = now
        text = what
        if total:
            left = (now - self._begun) / max(done, 1) * (total - done)
            text += f" {done:,}/{total:,}, {left:.0f} s left"
        print(
            f"\r\x1b[K{text}" if live else text,
            end="" if live and done < total else "\n",
            file=sys.stderr,
            flush=True,
        )


def save_copies(path: pathlib.Path, copies: tuple[np.ndarray, np.ndarray]) -> None:
    """A picture of fakes (left) beside the training images that they lie closest to (right)."""
    fakes, reals = copies
    pairs = np.stack([fakes, reals], axis=1).reshape(-1, *fakes.shape[1:])
    write_atomically(path, pictures.picture(pairs, columns=8))
