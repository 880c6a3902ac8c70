"""A run as it is held in Python: sampled, drawn, scored, kept, and shown in a notebook."""

from __future__ import annotations

import io
import os
import pathlib
import shutil
from typing import Any

from PIL import Image

from jaxgan.common.errors import InputError
from jaxgan.metrics.score import Score
from jaxgan.report import pictures
from jaxgan.report.html import data_url, figure, html, table, tag
from jaxgan.report.scores import format_number, score_rows
from jaxgan.runs import evaluation, lock
from jaxgan.runs.opened import Run
from jaxgan.runs.sampling import grid_labels

_COLUMNS = 8
_CURVES = {"score": "score", "losses": "/loss", "accuracy": "d/accuracy"}


class TrainedRun(Run):
    """A run that was opened: what `jaxgan.fit` and `jaxgan.load` return.

    It has `sample`, and what `Run` knows. A notebook shows it as a picture of samples over its scores.
    """

    def plot(self, what: str = "samples", *, seed: int = 0, n: int | None = None) -> Image.Image:
        """A picture, which a notebook shows and `.save("FILE.png")` keeps.

        Args:
          what: "samples", "reals" (beside them in the run's folder) or "curves" (score, losses and accuracy).
          seed: of the first sample.
          n: how many samples; None: as many as the run's own pictures show, one row a class if it is conditional.

        Raises:
          InputError: for another `what`, or where nothing is drawn.
        """
        if what == "samples":
            return _opened(self._samples(seed, n))
        if what == "reals":
            if (path := self.folder.reals) is None:
                there = str(self.folder.samples / "reals.png")
                raise InputError(f"what: expected 'samples' or 'curves', as {there!r} is not there")
            return _opened(path.read_bytes())
        if what == "curves":
            return _opened(self._curves())
        raise InputError(f"what: expected 'samples', 'reals' or 'curves', got {what!r}")

    def _samples(self, seed: int, n: int | None) -> bytes:
        modality = self.spec.modality
        labels = grid_labels(self.sampler.n_classes, _COLUMNS) if n is None else None
        count = n or (modality.shown if labels is None else len(labels))
        seeds = range(seed, seed + count)
        drawn = pictures.picture(self.sampler.by_seed(self.variables, seeds, labels), modality, _COLUMNS)
        if drawn is None:
            raise InputError(f"plot: expected examples that can be drawn, got {modality.name}s")
        return drawn

    def _curves(self) -> bytes:
        from matplotlib.figure import Figure

        lines: dict[str, dict[str, list[tuple[int, float]]]] = {panel: {} for panel in _CURVES}
        for record in self.history:
            for name, value in record.items():
                for panel, end in _CURVES.items():
                    if name.endswith(end) and value is not None:
                        shown = record.get("score_name", name) if panel == "score" else name
                        lines[panel].setdefault(shown, []).append((record["step"], value))
        lines = {panel: found for panel, found in lines.items() if found}
        if not lines:
            raise InputError(
                "what: expected 'samples', as nothing was recorded yet (log_every says how often)"
            )
        canvas = Figure(figsize=(4 * len(lines), 2.8), dpi=110, layout="constrained")
        for i, (panel, found) in enumerate(lines.items()):
            axes = canvas.add_subplot(1, len(lines), i + 1)
            for name, points in found.items():
                axes.plot(*zip(*points, strict=True), label=name, marker="." if len(points) < 3 else None)
            axes.set_title(panel, fontsize=10, loc="left")
            axes.set_xlabel("generator steps", fontsize=8)
            axes.legend(fontsize=8, frameon=False)
        return pictures.png_of_figure(canvas)

    def evaluate(
        self, n: int | None = None, *, metrics: str | None = None, features: str = "auto"
    ) -> dict[str, Score]:
        """Scores by name, each with its value, standard error, floor and protocol, as `jaxgan evaluate` has them.

        Args:
          n: fakes; None: as many as at the end of the run.
          metrics: names with commas, such as "fd,prdc"; None: the usual ones.
          features: the network whose features are compared.

        Raises:
          InputError: for names that do not exist, or data that are gone or have changed.
        """
        n = self.config.final_n if n is None else n
        protocol = evaluation.Protocol(n, metrics, features)
        ((_, found),) = evaluation.evaluate_checkpoints(
            self.folder.path, [self.step], protocol, trust=self.folder.trust
        )
        return dict(found.scores)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The records of the training, one an interval: "step", "images", means of the metrics, at times "score".

        `pandas.DataFrame(run.history)` makes a table of them.
        """
        return self.folder.records()

    @property
    def scores(self) -> dict[str, dict[str, Any]]:
        """The scores of the last step, as scores.json has them; empty if there are none (yet)."""
        return self._stored().get("final", {}).get("scores", {})

    def _stored(self) -> dict[str, Any]:
        return self.folder.read("scores.json") if (self.folder.path / "scores.json").exists() else {}

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Copies the run's folder to `path`, which `jaxgan.load`, and every command, opens; returns it.

        Raises:
          InputError: if there is something at `path` already, or it cannot be written.
        """
        target = pathlib.Path(path).expanduser()
        if target.exists():
            raise InputError(f"path: expected a new folder, got {str(target)!r}, which exists")
        try:
            shutil.copytree(self.folder.path, target, ignore=shutil.ignore_patterns(f"{lock.NAME}*"))
        except OSError as error:
            raise InputError(f"path: cannot write {str(target)!r}: {error}") from error
        return target

    def __repr__(self) -> str:
        """Says where the run is, and how far it has come."""
        return f"<jaxgan run {str(self.folder.path)!r}, step {self.step:,}>"

    def _repr_png_(self) -> bytes | None:
        """Samples, for notebooks."""
        try:
            return self._samples(0, None)
        except InputError:
            return None

    def _repr_html_(self) -> str:
        """Samples over the scores, for notebooks."""
        drawn, stored = self._repr_png_(), self._stored()
        caption = f"{self.data['name']}, step {self.step:,}, seeds from 0 on"
        told = score_rows(stored) if stored else []
        rows = [(name, final, real, better) for name, final, _, real, better, *_ in told]
        head = ("score", "final", "real data", "better")
        return html(
            tag("p", tag("b", self.folder.path.name), f" · {self.config.loss} · {self.config.preset}"),
            figure(data_url(drawn), caption, "samples") if drawn else tag("p", caption),
            table(head, rows, numbers=(1, 2)) if rows else tag("p", self._last()),
        )

    def _last(self) -> str:
        for record in reversed(self.history):
            if record.get("score") is not None:
                name = record.get("score_name", "score")  # older runs name none
                return f"{name} {format_number(record['score'])} at step {record['step']:,}"
        return "no scores yet"


def _opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))
