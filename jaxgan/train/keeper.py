"""What is kept of a member in its run folder."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.common import processes
from jaxgan.common.errors import InputError
from jaxgan.config.config import Config
from jaxgan.games.game import GameState
from jaxgan.health import Diagnosis, judge, monitors_of, summary
from jaxgan.metrics import Evaluator
from jaxgan.metrics.choice import better_of
from jaxgan.metrics.score import name_on_the_way
from jaxgan.runs import evaluation
from jaxgan.runs.checkpoint import Checkpoints
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.lock import TakenOver, check_held
from jaxgan.runs.schema import check_meta
from jaxgan.train.divergence import Setbacks
from jaxgan.train.grids import pictures_of
from jaxgan.train.loop import Keeper
from jaxgan.train.members import Members
from jaxgan.train.sinks.base import Files, Guarded, Sink
from jaxgan.train.sinks.loggers import loggers_of
from jaxgan.train.sinks.progress import Voice
from jaxgan.train.sinks.tensorboard import TensorBoard
from jaxgan.train.stops import Diverged, Interrupted
from jaxgan.train.untrained import untrained_scores


class RunKeeper(Keeper):
    """Keeps a member's records, pictures, scores and checkpoints; nothing of it affects the training.

    Of several processes each scores the member on its own devices, the numbers of the first are taken, and it alone
    writes; checkpoints are written by all.
    """

    def __init__(
        self,
        members: Members,
        k: int,
        folder: RunFolder,
        evaluator: Evaluator | None,
        voice: Voice,
        poll: Callable[[], None] = lambda: None,
        agreed: Callable[[bool], bool] = lambda interrupted: interrupted,
    ) -> None:
        """Opens the checkpoints in the folder of member k.

        Args:
          members: what is trained.
          k: index of the member.
          folder: of the member.
          evaluator: scores all members; None: nothing is scored.
          voice: says on the terminal what concerns the member.
          poll: is called while the member is scored, and may raise Interrupted.
          agreed: whether scoring was interrupted here -> whether it counts as interrupted in all processes.
        """
        self.members, self.k, self.folder, self.evaluator = members, k, folder, evaluator
        self.config, self._poll, self._agreed = members.config, poll, agreed
        self._owed: dict[str, Any] | None = None
        self.checkpoints = Checkpoints(folder.path)
        self._setbacks, self._back = Setbacks(members, k, folder, self.checkpoints), None
        self._played: dict[str, Any] = {
            "judged": members.game.critic is not None,
            "unread": members.unread,
            "settings": folder.read("config.json"),
        }
        self._voice, self._seconds, self._diagnosis = voice, 0.0, Diagnosis(**self._played)
        self._sinks: list[Sink] = []  # from the start on: they read what the folder says then
        self._monitors, n = None, min(self.config.health.n, self.config.quick_n)
        if self.config.health.enabled and n and members.game.output is not None:
            self._monitors = monitors_of(
                members.game, members.source, members.sampler, n, self.config.batch_size
            )

    # --- beginning ---

    def begin(self) -> GameState:
        """Draws the first state of the member, and returns it."""
        state = self.members.init_member(self.k)
        self._start(0)
        self._picture(self.members.whole(state), 0)
        return state

    def begin_again(self) -> GameState:
        """Begins a member that was interrupted before there was a checkpoint to go on from."""
        self._voice.note("there is no checkpoint yet; starting from the beginning")
        self.checkpoints.forget_after(-1)
        self.folder.rewind(-1)
        return self.begin()

    def go_on(self, step: int, state: GameState, meta: Mapping[str, Any]) -> GameState:
        """Goes back to the checkpoint at `step`, and returns its state; what was kept after it will be made again."""
        check_meta(f"checkpoint {step} of {str(self.folder.path)!r} is damaged", meta)
        self._setbacks.read(step)
        self._seconds = meta["train_seconds"]
        self._rewind(step, meta)
        self._voice.note(f"resumed at step {step:,}")
        before = self.folder.read("run.json").get("features")
        if self.evaluator is not None and before not in (None, self.evaluator.features):
            self._voice.note(
                f"warning: the scores on the way were of the features {before}, which are gone; from here on "
                f"they are of {self.evaluator.features}, and the best is chosen among these"
            )
            self.best = None
        self.best = processes.from_first(lambda: self.best)  # which has read run.json before it writes it
        self._start(step)
        return self._setbacks.noised(state, step)

    def _rewind(self, step: int, meta: Mapping[str, Any]) -> None:
        self.checkpoints.forget_after(step)
        self.best, self._owed, self._diagnosis = meta["best"], meta.get("owed"), Diagnosis(**self._played)
        self._keep_some()
        with self._warnings_told():
            self.folder.rewind(step)
            for record in self.folder.records() if self.config.health.enabled else ():
                self._diagnosis.add(record)

    def _keep_some(self) -> None:
        """Keeps the best checkpoint, and those before a divergence, which tell what led to it."""
        best = [] if self.best is None else [self.best["step"]]
        self.checkpoints.keep(*best, *self._setbacks.steps)

    def _start(self, step: int) -> None:
        if not self.folder.silent:
            self._sinks = [self._voice, *_sinks_in(self.folder, self.config, self._voice)]
        for sink in self._sinks:
            sink.start(step)
        features = None if self.evaluator is None else self.evaluator.features
        played = {name: self._played[name] for name in ("judged", "unread")}
        self.folder.update(status="running", error=None, features=features, **played)

    def set_aside(self, step: int, why: InputError, then: str) -> None:
        """Moves a checkpoint that cannot be read out of the way, and says why, and what happens then."""
        self.checkpoints.set_aside(step)
        self._voice.note(f"warning: {why}; it was moved to checkpoints-broken{then}")

    def drop(self) -> None:
        """Keeps nothing more, and leaves what there is as it is."""
        self.open = False
        self.checkpoints.close()

    def check_held(self) -> None:
        """Raises TakenOver, and abandons the run, if another process holds its folder by now."""
        try:
            check_held(self.folder.path)
        except TakenOver:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Keeps nothing more of a run that is another process's by now, and writes nothing in its folder.

        The checkpoints stay open, as closing them ends a save; trackers, too, are told by the other how it ends.
        """
        self.open = False
        for sink in self._sinks:
            sink.abandon()

    # --- on the way ---

    def wait(self) -> None:
        """Returns when the last checkpoint is on disk."""
        self.checkpoints.wait()

    def keep(self, state: GameState, record: dict[str, Any], due: set[str], seconds: float) -> dict[str, Any]:
        """Keeps what is due; raises Diverged if the averaged generator or its score is not finite.

        Where scoring or the look at its health is interrupted only the state is saved, and all else is owed: `settle`
        makes up for it. Raises TakenOver, before anything is written, where the folder is another process's by now.
        """
        step, found = record["step"], {}
        here = self.members.whole(state) if due & {"evaluate", "sample"} else state
        self._seconds += seconds
        if "evaluate" in due:
            looked = self._look(here, step)
            if looked is None:
                self.owes = True
                self._save(state, step, {"owed": {"record": record, "due": sorted(due)}})
                return record
            found = looked
            if "score" in found:
                told = [found[name] for name in ("score", "score_error", "score_name")]
                self.best = better_of(self.best, step, *told)
        self.check_held()
        record = self._watched(record | found)
        for sink in self._sinks:
            sink.record(record)
        if "sample" in due:
            self._picture(here, step)
        if "evaluate" in due:
            for sink in self._sinks:
                sink.evaluated(step)
        if "save" in due:
            if self._owed is not None:  # the state is there already, without its score
                self.checkpoints.forget_after(step - 1)
            self._save(state, step, {})
        return record

    def _save(self, state: GameState, step: int, more: Mapping[str, Any]) -> None:
        self.check_held()
        self._keep_some()
        meta = {"best": self.best, "train_seconds": round(self._seconds, 1), **more}
        self.checkpoints.save(step, state, {"config": self.folder.read("config.json"), **meta})

    def settle(self, state: GameState) -> None:
        """Keeps what an interrupted run still owes of its last interval, which ends with `state`."""
        if self._owed is None or not self.open:
            return
        try:
            self.keep(state, self._owed["record"], set(self._owed["due"]), 0.0)
        except Diverged as error:
            self.diverged(error)
        self._owed = None

    def _look(self, state: GameState, step: int) -> dict[str, Any] | None:
        """The score and what the monitors see, by the names of a record; None if that was interrupted.

        Of several processes all get what the first one found, or raise Diverged as it did.
        """
        found, interrupted, bad = {}, False, None
        try:
            if self.evaluator is not None:
                found = self._score_now(self.evaluator, state, step)
            if self._monitors is not None:
                found |= self._monitors(state, self._poll)
        except Interrupted:
            interrupted = True
        except Diverged as error:
            bad = str(error)
        if self._agreed(interrupted):
            return None
        bad, found = processes.from_first(lambda: (bad, found))
        if bad is not None:
            raise Diverged(bad, step)
        return found

    def _score_now(self, evaluator: Evaluator, state: GameState, step: int) -> dict[str, Any]:
        variables = self.members.game.averaged(state)
        score = evaluator.quick(
            self.members.sampler.stream(variables, evaluation.QUICK_SEED, self._poll), self.config.quick_n
        )
        if not (np.isfinite(score) and evaluation.is_finite(variables)):
            what = f"the averaged generator, or its {evaluator.main}"
            raise Diverged(f"step {step}: not finite: {what}", step)
        name = name_on_the_way(evaluator, self.config.quick_n, self.config.final_n)
        return {"score": float(score), "score_error": _error_of(score), "score_name": name}

    def _watched(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record with the names of the verdicts, which are told as they change."""
        if not self.config.health.enabled:
            return record
        before = [verdict.name for verdict in self._diagnosis.verdicts()]
        self._diagnosis.add(record)
        now = {verdict.name: verdict for verdict in self._diagnosis.verdicts()}
        told = [f"{name}: {now[name].evidence}. {now[name].advice}" for name in now if name not in before]
        self._tell(record["step"], told + [f"no longer: {name}" for name in before if name not in now])
        return record | {"verdicts": list(now)} if now else record

    def _tell(self, step: int, findings: Sequence[str]) -> None:
        for text in findings:
            for sink in self._sinks:
                sink.finding(step, text)

    def _picture(self, state: GameState, step: int) -> None:
        if self.members.sampler is None or self.folder.silent:
            return
        for kind, png in pictures_of(self.members, state):
            for sink in self._sinks:
                sink.picture(step, png) if kind == "samples" else sink.also(step, kind, png)

    # --- the end ---

    def left(self) -> str:
        """Says in words which checkpoint there is to go on from."""
        with contextlib.suppress(Exception):  # which is told of where it matters
            self.checkpoints.wait()
        saved, none = self.checkpoints.left(), "there is no checkpoint before it"
        return f"the last good checkpoint is step {saved[-1]}" if saved else none

    def diverged(self, error: Diverged) -> None:
        """Ends the member and says what is left, unless there is a checkpoint to go back to, by `rolled_back`."""
        self.check_held()
        self._back = self._setbacks.after(error, lambda text: self._voice.note(f"warning: {text}"))
        self.open, self.error = False, Diverged(f"{error}; {self.left()}", error.step)
        if self._back is None:
            self.close("diverged", str(self.error))
            return
        self._voice.note(
            f"warning: {error}; going back to step {self._back[2]:,}, with other noise from there on (time "
            f"{len(self._setbacks.steps)} of at most {self.config.health.roll_back})"
        )

    def rolled_back(self) -> tuple[GameState, int] | None:
        """The state and the step from which a member that diverged goes on; None if it does not go on."""
        if self._back is None:
            return None
        (state, meta, step), self._back, self.open, self.error = self._back, None, True, None
        self._rewind(step, meta)
        for sink in self._sinks:
            sink.start(step)
        return self._setbacks.noised(state, step), step

    def finish(self, state: GameState, step: int, check: Callable[[], None]) -> None:
        """Scores the last and the best state in full, and writes the report; `check` may raise, which stops this."""
        check()
        judged = []
        if self.evaluator is not None:
            scores: dict[str, Any] = {
                "main": self.evaluator.main,
                "class_names": list(self.members.source.class_names),
                "final": {"step": step, **self._score(self.evaluator, self.members.whole(state))},
            }
            check()
            if self.best is not None:
                last = self.best["step"] == step
                scores["best"] = scores["final"] if last else self._score_best(self.evaluator)
            check()
            untrained = untrained_scores(self.members, self.k, self.evaluator, self._voice.note)
            scores |= {} if untrained is None else {"untrained": untrained}
            check()
            self.check_held()
            for sink in self._sinks:
                sink.scores(scores)
            if self.config.health.enabled:
                before = (untrained or {}).get("scores")
                judged = judge(
                    scores["final"]["scores"], main=scores["main"], untrained=before, **self._played
                )
                self._tell(step, [f"{v.name}: {v.evidence}. {v.advice}" for v in judged])
        self.close("finished")
        verdicts, told = self._diagnosis.verdicts(), judged or self._voice.name  # what was judged has been
        if self.config.health.enabled and (verdicts or not told):
            scored = self.evaluator is not None
            self._voice.note(summary(verdicts, self._diagnosis.looks, scored=scored))

    def _score_best(self, evaluator: Evaluator) -> dict[str, Any] | None:
        step = self.best["step"]  # pyright: ignore  (there is one)
        self.checkpoints.wait()
        try:
            state = self.checkpoints.restore(step, self.members.like())
        except InputError as error:  # damaged since it was saved; the last one's scores are not lost
            if isinstance(error, processes.Late):
                raise
            self._voice.note(f"warning: no scores of the best checkpoint: {error}")
            return None
        return {"step": step, **self._score(evaluator, self.members.whole(state))}

    def _score(self, evaluator: Evaluator, state: GameState) -> dict[str, Any]:
        variables = self.members.game.averaged(state)
        sampler, n = self.members.sampler, self.config.final_n
        with self._warnings_told():
            return evaluation.score(evaluator, sampler, variables, n, self._poll)

    @contextlib.contextmanager
    def _warnings_told(self) -> Iterator[None]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        for warning in caught:
            if issubclass(warning.category, UserWarning):
                self._voice.note(f"warning: {warning.message}")

    def close(self, status: str, error: str | None = None) -> None:
        """Waits until everything is written, and writes the report. Raises TakenOver as `keep` does."""
        self.check_held()
        self.open = False
        with contextlib.ExitStack() as last_first:  # all of it, whatever fails
            last_first.callback(self._written, status, error)
            last_first.callback(self.checkpoints.close)

    def _written(self, status: str, error: str | None) -> None:
        """Writes how it ended; the wait before it may have been long enough to lose the folder."""
        self.check_held()
        with contextlib.ExitStack() as last_first:
            for sink in reversed(self._sinks):
                last_first.callback(sink.close, status, error)
            seconds = round(self._seconds, 1)
            last_first.callback(self.folder.update, status=status, error=error, train_seconds=seconds)


def _sinks_in(folder: RunFolder, config: Config, voice: Voice) -> list[Sink]:
    writer = TensorBoard(folder.path / "tensorboard", folder.read("config.json"))
    board = Guarded("tensorboard", writer, voice.note)
    return [board, *loggers_of(config.logger, folder, voice.note), Files(folder)]


def _error_of(score: float) -> float:
    """Its standard error; 0 where it is not known, as where an evaluator of the user's own says nothing of it."""
    error = getattr(score, "error", None)
    return float(error) if error is not None and np.isfinite(error) else 0.0
