"""Checkpoints by Orbax: saved in the background, the newest two and the best kept."""

from __future__ import annotations

import contextlib
import gc
import logging
import pathlib
import shutil
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import jax

from jaxgan.common.errors import InputError
from jaxgan.games.game import GameState

_STATE, _META, _SCORE = "state", "meta", "score"


class SaveError(OSError):
    """A checkpoint could not be written; those written before are still there."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Orbax logs every save, and errors from its threads that it also raises; users get ours instead."""
    logging.getLogger("absl").addFilter(_not_of_orbax)  # stays, as its threads outlive this block
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _not_of_orbax(record: logging.LogRecord) -> bool:
    return "orbax" not in record.pathname


class Checkpoints:
    """The checkpoints of one run, in the folder `checkpoints` of its own folder.

    Each holds the state and a JSON dict, "meta", that the caller defines. Only whole checkpoints
    are ever seen: Orbax writes elsewhere and renames.
    """

    def __init__(self, run: pathlib.Path, *, read_only: bool = False) -> None:
        """Opens, and unless `read_only` creates, the folder of checkpoints of a run."""
        with _quiet():
            import orbax.checkpoint as ocp
            from orbax.checkpoint import checkpoint_managers as policies

            self._ocp = ocp
            self._folder = (run / "checkpoints").resolve()
            self._set_aside = run / "checkpoints-broken"
            score = lambda metrics: metrics[_SCORE]
            best = policies.BestN(
                get_metric_fn=score,
                n=1,
                reverse=True,
                keep_checkpoints_without_metrics=False,
            )
            options = ocp.CheckpointManagerOptions(
                preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(2), best]),
                best_fn=score,  # without it scores are not saved, and the best is lost on resuming
                create=not read_only,
                read_only=read_only,
            )
            handlers = {_STATE: ocp.StandardCheckpointHandler(), _META: ocp.JsonCheckpointHandler()}
            self._manager = ocp.CheckpointManager(self._folder, item_handlers=handlers, options=options)

    def steps(self) -> list[int]:
        """Steps of all checkpoints, oldest first."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, state: GameState, meta: dict[str, Any], score: float | None = None) -> None:
        """Starts to save in the background; returns once the state may be changed again.

        Args:
          step: of the state.
          state: what to save.
          meta: JSON-serialisable.
          score: lower is better; the checkpoint with the lowest is kept, however old. `RunKeeper` ranks so: the best
            has a score below 0, the lower the later it is.

        Raises:
          SaveError: if this save cannot start, or the one before it failed.
        """
        if step in self._manager.all_steps():
            return
        args = self._ocp.args.Composite(
            **{_STATE: self._ocp.args.StandardSave(state), _META: self._ocp.args.JsonSave(meta)}
        )
        with _quiet(), self._as_save_error(step):
            metrics = None if score is None else {_SCORE: score}
            self._manager.save(step, args=args, metrics=metrics)

    def wait(self) -> None:
        """Returns when everything is on disk. Raises SaveError if it could not be written."""
        with _quiet(), self._as_save_error(None):
            self._manager.wait_until_finished()
            self._manager.check_for_errors()

    def close(self) -> None:
        """Waits, and lets go of threads. Raises SaveError as `wait` does."""
        self.wait()
        with _quiet():
            self._manager.close()

    @contextlib.contextmanager
    def _as_save_error(self, step: int | None) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever Orbax, TensorStore or the system raise
            what = "a checkpoint" if step is None else f"checkpoint {step}"
            with contextlib.suppress(Exception):  # the save before may still be under way
                self._manager.wait_until_finished()
            kept = [s for s in self._finished_steps() if s != step]
            last = f"the last good one is step {kept[-1]}" if kept else "there is none before it"
            raise SaveError(
                f"could not write {what} in {str(self._folder)!r} ({_line(error)}); {last}"
            ) from error

    def _finished_steps(self) -> list[int]:
        names = (entry.name for entry in self._folder.iterdir()) if self._folder.exists() else ()
        return sorted(int(name) for name in names if name.isdigit())

    def meta(self, step: int) -> dict[str, Any]:
        """The meta dict of a checkpoint. Raises InputError if it cannot be read."""
        return self._read(step, _META, self._ocp.args.JsonRestore())

    def restore(self, step: int, like: GameState) -> GameState:
        """The state of a checkpoint.

        Args:
          step: of the checkpoint.
          like: shapes, types and shardings (`jax.ShapeDtypeStruct`s or arrays).

        Raises:
          InputError: if it cannot be read.
        """
        return self._read(step, _STATE, self._ocp.args.StandardRestore(like))

    def _read(self, step: int, item: str, args: Any) -> Any:
        with _quiet():
            try:
                return self._manager.restore(step, args=self._ocp.args.Composite(**{item: args}))[item]
            except Exception as error:  # damaged files surface as many types
                reason = _line(error)
            _collect_quietly()
            raise InputError(f"checkpoint {step} in {str(self._folder)!r} cannot be read ({reason})")

    def read(self, step: int, like: GameState) -> tuple[GameState, dict[str, Any]] | None:
        """The state of a checkpoint, as of `restore`, and its meta dict; None if one of them cannot be read."""
        try:
            return self.restore(step, like), self.meta(step)
        except InputError:
            return None

    def forget_after(self, step: int) -> None:
        """Deletes the checkpoints after `step`, which will be made again."""
        for later in [s for s in self.steps() if s > step]:
            shutil.rmtree(self._folder / str(later), ignore_errors=True)
        self._manager.reload()

    def set_aside(self, step: int) -> None:
        """Moves a checkpoint that cannot be read to `checkpoints-broken`."""
        self._set_aside.mkdir(exist_ok=True)
        target = self._set_aside / str(step)
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(self._folder / str(step), target)
        self._manager.reload()


def abstract(state: Any, placement: jax.sharding.Sharding | None = None) -> Any:
    """Shapes and types of a state, for `restore`, to be placed by one sharding."""
    placement = placement or jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=placement), state)


def _collect_quietly() -> None:
    """Lets Python drop what a failed restore left behind, without a page of text for each array."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None
    try:
        gc.collect()
    finally:
        sys.unraisablehook = hook


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
