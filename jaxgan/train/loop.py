"""The training loop: everything that touches files, signals, clocks and terminals."""

from __future__ import annotations

import contextlib
import json
import shlex
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from jaxgan.common.devices import replicated
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.config.config import Config
from jaxgan.games.game import GANState
from jaxgan.games.step import Metrics
from jaxgan.health import Diagnosis, Monitors, monitors_of, summary
from jaxgan.metrics import Evaluator, make_evaluator
from jaxgan.report import pictures
from jaxgan.report.run import write_report
from jaxgan.runs import evaluation
from jaxgan.runs.checkpoint import Checkpoints, SaveError, abstract
from jaxgan.runs.environment import environment
from jaxgan.runs.folder import RunFolder, create
from jaxgan.runs.sampling import grid_labels
from jaxgan.train.clock import Clock, Signals
from jaxgan.train.progress import Progress
from jaxgan.train.setup import Setup, set_up
from jaxgan.train.stops import Diverged, Stopped
from jaxgan.train.tensorboard import TensorBoard

GRID_COLUMNS = 8


def train(config: Config, command: Sequence[str] | None = None) -> RunFolder:
    """Trains from the beginning, in a new folder.

    Args:
      config: what to do.
      command: the command line, for the report.

    Returns:
      The run's folder, with report.html.

    Raises:
      InputError: for a configuration or data that cannot be trained.
      Diverged: if a metric is not finite.
      Stopped: after SIGINT or SIGTERM; the run can be resumed.
      SaveError: if a checkpoint cannot be written.
    """
    setup = set_up(config)
    text = shlex.join(command) if command else f"jaxgan train {config.preset}"
    folder = create(config, setup.data, environment(), text)
    write_reals(setup, folder)
    return Loop(setup, folder).run()


def write_reals(setup: Setup, folder: RunFolder) -> None:
    """A picture of real examples, for comparison, where their modality is drawn."""
    source, conditional = setup.source, bool(setup.sampler.n_classes)
    reals = source.of_each_class(GRID_COLUMNS, 0) if conditional else None  # one row a class, as in the grids
    if reals is None:
        reals = source.some(source.modality.shown, 0, ordered=not conditional)
    png = pictures.picture(reals[source.example], source.modality, GRID_COLUMNS)
    if png is not None:
        write_atomically(folder.samples / "reals.png", png)


class Loop:
    """One run of the loop; its attributes are the loop's own state, none of which affects results."""

    def __init__(
        self, setup: Setup, folder: RunFolder, evaluator: Evaluator | None = None, progress: Any = None
    ) -> None:
        """Opens the folder's checkpoints; `evaluator` and `progress` may be shared or silent."""
        self.setup, self.folder, self.config = setup, folder, setup.config
        self.checkpoints = Checkpoints(folder.path)
        self.evaluator: Evaluator = evaluator or make_evaluator(setup.source, self._run_features())
        self.progress = progress or Progress(self.config.steps, folder.path)
        self.best: dict[str, Any] | None = None
        self.seconds = 0.0
        self.pending: list[tuple[int, Metrics]] = []
        self.monitors = self._make_monitors()
        self.diagnosis = Diagnosis()
        self.tensorboard: TensorBoard | None = None
        self.signals = Signals()

    def _run_features(self) -> str | None:
        """Features that the run has been scored on so far."""
        return self.folder.read("run.json").get("features")

    def _make_monitors(self) -> Monitors | None:
        setup, n = self.setup, min(self.config.health.n, self.config.quick_n)
        if not (self.config.health.enabled and n):
            return None
        return monitors_of(setup.gan, setup.source, setup.sampler, n, self.config.batch_size)

    def run(self, resumed: bool = False) -> RunFolder:
        """Trains to the end, scores and reports; or goes on with what was interrupted."""
        with self.signals:
            return self._run(resumed)

    def _run(self, resumed: bool) -> RunFolder:
        try:
            state, step = self.start(resumed)
            state = self._train(state, step)
            self.finish(state)
        except Stopped:
            self.close("stopped")
            raise
        except Diverged as error:
            self.close("diverged", str(error))
            raise
        except BaseException as error:
            with contextlib.suppress(Exception):
                self.close("failed", f"{type(error).__name__}: {error}")
            if isinstance(error, OSError) and not isinstance(error, SaveError):
                saved = self.checkpoints.steps()
                left = (
                    f"the last good checkpoint is step {saved[-1]}" if saved else "there is no checkpoint yet"
                )
                raise SaveError(f"could not write in {str(self.folder.path)!r} ({error}); {left}") from error
            raise
        return self.folder

    # --- beginning and end ---

    def start(self, resumed: bool, at: int | None = None) -> tuple[GANState, int]:
        """The state to begin with and its step: fresh, or that of a checkpoint (`at`, or the newest)."""
        step = 0
        if resumed and at is not None:
            self.checkpoints.forget_after(at)
        if resumed and not self.checkpoints.steps():
            self.progress.note("there is no checkpoint yet; starting from the beginning")
            self.folder.rewind(-1)
            resumed = False
        if resumed:
            placement = None if self.setup.mesh is None else replicated(self.setup.mesh)
            like = abstract(jax.eval_shape(self.setup.init), placement)
            state, meta, broken = self.checkpoints.restore_newest(like)
            step = int(state.step)
            self.best, self.seconds = meta["best"], meta["train_seconds"]
            self.folder.rewind(step)
            for bad in broken:
                self.progress.note(f"checkpoint {bad} cannot be read; it was moved to checkpoints-broken")
            self.progress.note(f"resumed at step {step:,}")
            if (features := self._run_features()) not in (None, self.evaluator.features):
                self.progress.note(
                    f"warning: the scores on the way were of the features {features}, which are gone; from here on "
                    f"they are of {self.evaluator.features}, and the best is chosen among these"
                )
                self.best = None
        else:
            state = self.setup.init()
        if self.config.health.enabled:
            for record in self.folder.records():
                self.diagnosis.add(record)
        after = step if resumed else None
        self.tensorboard = TensorBoard(self.folder.path / "tensorboard", resumed_after=after)
        self.folder.update(status="running", error=None, features=self.evaluator.features)
        if not resumed:
            self._write_grid(state, 0)
        return state, step

    def _stop_if_asked(self, step: int) -> None:
        """Raises Stopped after a signal; `step` has been saved."""
        if self.signals.received is not None:
            raise Stopped(self.signals.received, step, self.folder)

    def finish(self, state: GANState) -> None:
        """Scores the last and the best checkpoint in full, and writes the report."""
        step = int(state.step)
        self._stop_if_asked(step)
        if self.evaluator.main:
            self.progress.note(f"scoring {self.config.final_n:,} fakes")
        else:
            self.progress.note(f"no scores: there are none of {self.setup.source.modality.name}s")
        scores: dict[str, Any] = {
            "main": self.evaluator.main,
            "class_names": list(self.setup.source.class_names),
        }
        scores["final"] = {"step": step, **self._score(state.ema)}
        self._stop_if_asked(step)
        if self.best is not None:
            best = scores["final"]
            if self.best["step"] != step:
                best = self._score_best(self.best["step"])
            scores["best"] = best
        self._stop_if_asked(step)
        self.folder.write("scores.json", scores)
        self.close("finished")
        if self.evaluator.main:
            self.progress.scores(scores)
        verdicts = self.diagnosis.verdicts()
        if self.config.health.enabled and (verdicts or isinstance(self.progress, Progress)):
            self.progress.note(summary(verdicts))  # members of an ensemble say only what is wrong

    def _score_best(self, step: int) -> dict[str, Any] | None:
        self.checkpoints.wait()
        try:
            state = self.checkpoints.restore(step, abstract(jax.eval_shape(self.setup.init)))
        except InputError as error:  # damaged since it was saved; the last one's scores are not lost
            self.progress.note(f"warning: no scores of the best checkpoint: {error}")
            return None
        return {"step": step, **self._score(state.ema)}

    def close(self, status: str, error: str | None = None) -> None:
        """Waits for what is being written, and writes the report."""
        self.progress.stop()
        try:
            self.checkpoints.close()
        finally:
            if self.tensorboard is not None:
                self.tensorboard.close()
            self.folder.update(status=status, error=error, train_seconds=round(self.seconds, 1))
            write_report(self.folder)

    # --- the loop ---

    def _train(self, state: GANState, step: int) -> GANState:
        inputs: Iterator[Any] = self.setup.pipeline.inputs(step)
        self.progress.start(step)
        clock = Clock(self.config, self.setup.steps_per_dispatch, step)
        while step < self.config.steps:
            batch = next(inputs)
            with jax.transfer_guard("disallow"):
                state, metrics = self.setup.program(state, batch)
            step += self.setup.steps_per_dispatch
            self.pending.append((step, metrics))
            stop = self.signals.received is not None
            due = clock.due(step, stop)
            if not due:
                continue
            self.interval(state, step, due, clock)
            if stop:
                self._stop_if_asked(step)
            clock.restart(step)
        return state

    def interval(self, state: GANState, step: int, due: set[str], clock: Clock) -> None:
        """What happens now and then: metrics are read, and what is `due` is done."""
        record = self._read_metrics(step, state)  # waits for the device, once an interval
        seconds, rate = clock.read(step)
        self.seconds += seconds
        record["images_per_second"] = rate
        score = self._evaluate(state, record) if "evaluate" in due else None
        self._write_record(self._watched(record, state, "evaluate" in due))
        if "sample" in due:
            self._write_grid(state, step)
        if "save" in due:
            self.checkpoints.save(step, state, self._meta(), score)
        self.progress.update(record, self.best)

    def _meta(self) -> dict[str, Any]:
        return {
            "config": self.folder.read("config.json"),
            "best": self.best,
            "train_seconds": round(self.seconds, 1),
        }

    def _read_metrics(self, step: int, state: GANState) -> dict[str, Any]:
        """Means over the interval; raises Diverged at the first step with a number that is not finite."""
        pending = [(last, jax.device_get(metrics)) for last, metrics in self.pending]
        self.pending.clear()
        series = {name: np.concatenate([m[name] for _, m in pending]) for name in pending[0][1]}
        first = pending[0][0] - len(pending[0][1]["d/loss"]) + 1
        bad = {
            name: int(np.argmin(np.isfinite(values)))
            for name, values in series.items()
            if not np.isfinite(values).all()
        }
        if bad:
            at = min(bad.values())
            terms = ", ".join(f"{name} = {series[name][at]}" for name in sorted(bad) if bad[name] == at)
            saved = self.checkpoints.steps()
            left = (
                f"the last good checkpoint is step {saved[-1]}"
                if saved
                else "there is no checkpoint before it"
            )
            raise Diverged(f"step {first + at}: not finite: {terms}; {left}")
        record: dict[str, Any] = {"step": step, "images": step * self.config.batch_size * self.config.d_steps}
        return record | {name: float(values.mean()) for name, values in series.items()}

    def _evaluate(self, state: GANState, record: dict[str, Any]) -> float | None:
        score = None
        if self.evaluator.main:
            generate = self.setup.sampler.stream(state.ema, evaluation.QUICK_SEED)
            score = self.evaluator.quick(generate, self.config.quick_n)
        if not (evaluation.is_finite(state.ema) and (score is None or np.isfinite(score))):
            what = f"the averaged generator, or its {self.evaluator.main or 'statistics'}"
            raise Diverged(f"step {record['step']}: not finite: {what}")
        if score is None:
            return None
        record |= {"score": score, "score_name": self.evaluator.main}
        if self.best is None or score <= self.best["score"]:  # the later of equals, as Orbax keeps it
            self.best = {"step": record["step"], "score": score}
        return score

    def _watched(self, record: dict[str, Any], state: GANState, closely: bool) -> dict[str, Any]:
        """The record with what the monitors see and the names of the verdicts, which are told as they change."""
        if not self.config.health.enabled:
            return record
        seen = self.monitors(state) if self.monitors is not None and closely else {}
        record, before = record | seen, [verdict.name for verdict in self.diagnosis.verdicts()]
        self.diagnosis.add(record)
        now = {verdict.name: verdict for verdict in self.diagnosis.verdicts()}
        told = [f"{name}: {now[name].evidence}. {now[name].advice}" for name in now if name not in before]
        for text in told + [f"no longer: {name}" for name in before if name not in now]:
            self.progress.note(f"step {record['step']:,}: health: {text}")
            if self.tensorboard is not None:
                self.tensorboard.text("health", text, record["step"])
        return record | {"verdicts": list(now)} if now else record

    def _score(self, variables: Any) -> dict[str, Any]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scored = evaluation.score(self.evaluator, self.setup.sampler, variables, self.config.final_n)
        for warning in caught:
            if issubclass(warning.category, UserWarning):
                self.progress.note(f"warning: {warning.message}")
        return scored

    def _write_record(self, record: dict[str, Any]) -> None:
        with self.folder.metrics.open("a") as file:
            file.write(json.dumps(record) + "\n")
        scalars = {name: value for name, value in record.items() if isinstance(value, float)}
        if "score" in scalars:
            scalars[f"score/{self.evaluator.main}"] = scalars.pop("score")
        if self.tensorboard is not None:
            self.tensorboard.scalars(scalars, record["step"])

    def _write_grid(self, state: GANState, step: int) -> None:
        sampler, source = self.setup.sampler, self.setup.source
        if not pictures.is_drawn(source.modality):
            return
        labels = grid_labels(sampler.n_classes, GRID_COLUMNS)
        n = source.modality.shown if labels is None else len(labels)
        fakes, reals = sampler.by_seed(state.ema, range(n), labels), source.some(n, 0)[source.example]
        png = pictures.picture(fakes, source.modality, GRID_COLUMNS, reals)
        assert png is not None
        write_atomically(self.folder.samples / f"step-{step:07d}.png", png)
        if self.tensorboard is not None:
            self.tensorboard.image("samples", pictures.pixels_of(png), step)
