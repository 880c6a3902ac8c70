"""Checkpoints by Orbax: saved in the background, verified when they are read, the newest two and the best kept."""

from __future__ import annotations

import contextlib
import gc
import logging
import pathlib
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypedDict

import jax

from jaxgan.common import processes
from jaxgan.common.errors import InputError
from jaxgan.common.progress import counted
from jaxgan.common.schema import check
from jaxgan.games.game import GameState
from jaxgan.runs.checksums import checksums, readable, seal, unsealed

_STATE, _META = "state", "meta"
_LONGEST = 800  # characters of what others say of an error
_UNFINISHED = "*.orbax-checkpoint-tmp*"


class Unreadable(InputError):
    """A checkpoint that cannot be read, or is not what was saved; it names it, and what of it is damaged."""


class SaveError(OSError):
    """A checkpoint could not be written; those written before are still there."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Orbax logs every save, and errors from its threads that it also raises; users get ours instead."""
    logging.getLogger("absl").addFilter(_not_of_orbax)  # these stay, as its threads outlive this block
    logging.getLogger("asyncio").addFilter(_not_told)
    if not isinstance(sys.unraisablehook, _WithoutEchoes):
        sys.unraisablehook = _WithoutEchoes(sys.unraisablehook)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _not_of_orbax(record: logging.LogRecord) -> bool:
    return "orbax" not in record.pathname


def _not_told(record: logging.LogRecord) -> bool:
    """Of a failed restore, asyncio logs again what every single array has met with."""
    text = record.getMessage()
    return "never retrieved" not in text or not ("orbax" in text or "tensorstore" in text)


class _WithoutEchoes:
    """A hook for what cannot be raised, less an echo of failures that are.

    After a failed save or restore, threads of TensorStore tell once for every array that its event loop is closed.
    """

    def __init__(self, hook: Callable[[Any], Any]) -> None:
        self._hook = hook

    def __call__(self, unraisable: Any) -> None:
        if "Event loop is closed" not in str(unraisable.exc_value):
            self._hook(unraisable)


class _Kept:
    """A policy of Orbax: the checkpoints that are kept however old they become."""

    steps: Collection[int] = ()

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        return [checkpoint.step in self.steps for checkpoint in checkpoints]


class _Sealed(TypedDict):
    """What lies beside the state, and may be a stranger's, with a checksum that is right."""

    meta: dict[str, Any]
    checksums: dict[str, str]


class Checkpoints:
    """The checkpoints of one run, in the folder `checkpoints` of its own folder.

    Each holds the state, a JSON dict, "meta", that the caller defines, and a checksum of each array and of the dict:
    whatever is damaged is found when it is read. Only whole checkpoints are ever seen: Orbax writes elsewhere and
    renames.
    """

    def __init__(self, run: pathlib.Path, *, read_only: bool = False) -> None:
        """Opens, and unless `read_only` creates, the folder of checkpoints of a run."""
        self._folder = (run / "checkpoints").resolve()
        self._set_aside, self._read_only, self._kept = run / "checkpoints-broken", read_only, _Kept()
        ours = not read_only and processes.first()
        for left in self._folder.glob(_UNFINISHED) if ours else ():  # by a kill during a save
            shutil.rmtree(left, ignore_errors=True)
        self._open()

    def _open(self) -> None:
        with _quiet():
            import orbax.checkpoint as ocp
            from orbax.checkpoint import checkpoint_managers as policies

            self._ocp = ocp
            options = ocp.CheckpointManagerOptions(
                preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(2), self._kept]),
                create=not self._read_only,
                read_only=self._read_only,
                lightweight_initialize=True,  # else one damaged checkpoint would hide all others
                save_root_metadata=False,  # there is none, and all processes would wait for each other to say so
            )
            made = lambda: {_STATE: ocp.StandardCheckpointHandler(), _META: ocp.JsonCheckpointHandler()}
            self._manager = ocp.CheckpointManager(self._folder, item_handlers=made(), options=options)
            self._readers = made()  # the manager's wait for other processes, which may have failed

    def steps(self) -> list[int]:
        """Steps of all checkpoints, oldest first."""
        return sorted(self._manager.all_steps())

    def left(self) -> list[int]:
        """Steps of the checkpoints that are on the disk now, whatever became of others, oldest first."""
        names = (entry.name for entry in self._folder.iterdir()) if self._folder.is_dir() else ()
        return sorted(int(name) for name in names if name.isdigit())

    def keep(self, *steps: int) -> None:
        """Keeps the checkpoints of these steps however old they become, and no longer those of an earlier call."""
        self._kept.steps = steps

    def save(self, step: int, state: GameState, meta: Mapping[str, Any]) -> None:
        """Starts to save in the background; returns once the state may be changed again.

        Args:
          step: of the state.
          state: what to save.
          meta: JSON-serialisable.

        Raises:
          SaveError: if this save cannot start, or the one before it failed.
        """
        if step in self._manager.all_steps():
            return
        sealed = seal({_META: meta, "checksums": checksums(state)})
        args = self._ocp.args.Composite(
            **{_STATE: self._ocp.args.StandardSave(state), _META: self._ocp.args.JsonSave(sealed)}
        )
        with _quiet(), self._as_save_error(step):
            self._manager.save(step, args=args)

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
            kept = [s for s in self.left() if s != step]
            last = f"the last good one is step {kept[-1]}" if kept else "there is none before it"
            raise SaveError(
                f"could not write {what} in {str(self._folder)!r} ({_line(error)}); {last}"
            ) from error

    def meta(self, step: int) -> dict[str, Any]:
        """The meta dict of a checkpoint. Raises InputError if it cannot be read, by this process."""
        return self._unsealed(step)[_META]

    def restore(self, step: int, like: GameState) -> GameState:
        """Reads the state of a checkpoint, and checks that each of its arrays is what was saved.

        All of several processes call it; what one of them cannot read, none gets.

        Args:
          step: of the checkpoint.
          like: shapes, types and shardings (`jax.ShapeDtypeStruct`s or arrays).

        Raises:
          InputError: if it cannot be read, or is damaged; it names an array that is, and, of several processes, one
            that could not read it.
        """
        return self.read(step, like)[0]

    def read(self, step: int, like: GameState) -> tuple[GameState, dict[str, Any]]:
        """Reads the state of a checkpoint, as `restore` does, and its meta dict."""

        def both() -> tuple[dict[str, Any], GameState]:
            return self._unsealed(step), self._read(step, _STATE, self._ocp.args.StandardRestore(like))

        sealed, state = processes.by_all(both)
        processes.by_all(lambda: self._verify(step, state, sealed["checksums"]))  # gathers what is in parts
        return state, sealed[_META]

    def _verify(self, step: int, state: GameState, expected: Mapping[str, str]) -> None:
        found = checksums(state)
        if wrong := [name for name in {**expected, **found} if expected.get(name) != found.get(name)]:
            others = f", as {counted(len(wrong) - 1, 'other array')}" if len(wrong) > 1 else ""
            raise self._unreadable(step, f"{readable(wrong[0])} is not what was saved{others}")

    def _unsealed(self, step: int) -> dict[str, Any]:
        try:
            found = unsealed(self._read(step, _META, self._ocp.args.JsonRestore()))
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise self._unreadable(step, f"{_META} is not what was saved") from error
        check(found, _Sealed, str(self._unreadable(step, _META)))
        return found

    def _read(self, step: int, item: str, args: Any) -> Any:
        place = self._manager.directory / str(step) / item
        with _quiet():
            try:
                return self._readers[item].restore(place, args=args)
            except Exception as error:  # damaged files surface as many types
                reason = _line(_innermost(error))
            _collect_quietly()
            raise self._unreadable(step, reason if str(place) in reason else f"{item}: {reason}")

    def _unreadable(self, step: int, reason: str) -> Unreadable:
        return Unreadable(f"checkpoint {step} in {str(self._folder)!r} cannot be read ({reason})")

    def forget_after(self, step: int) -> None:
        """Deletes the checkpoints after `step`, which will be made again."""
        for later in [s for s in self.steps() if s > step and processes.first()]:
            shutil.rmtree(self._folder / str(later), ignore_errors=True)
        self._open_again()

    def set_aside(self, step: int) -> None:
        """Moves a checkpoint that cannot be read to `checkpoints-broken`."""
        if processes.first():
            self._set_aside.mkdir(exist_ok=True)
            target = self._set_aside / str(step)
            shutil.rmtree(target, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):  # where it is gone there is nothing to move
                shutil.move(self._folder / str(step), target)
        self._open_again()

    def _open_again(self) -> None:
        """Sees what has been changed by others than Orbax; its `reload` fails where one checkpoint is damaged."""
        processes.wait()
        with _quiet():
            self._manager.close()
        self._open()
        processes.check_same(checkpoints=self.steps())  # who still saw an old one would not save with others


def abstract(state: Any, placement: Any = None) -> Any:
    """Shapes, types and shardings of a state, for `restore`.

    Args:
      state: of arrays, or of their shapes and types.
      placement: one sharding for all, or a tree of them like the state; None: the first device of this process.
    """
    placement = placement or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    if isinstance(placement, jax.sharding.Sharding):
        placement = jax.tree.map(lambda _: placement, state)
    return jax.tree.map(lambda x, at: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at), state, placement)


def _collect_quietly() -> None:
    """Lets Python drop what a failed restore left behind, without a page of text for each array."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None
    try:
        gc.collect()
    finally:
        sys.unraisablehook = hook


def _innermost(error: BaseException) -> BaseException:
    """What an error began with, which names the array that could not be read."""
    return error if error.__cause__ is None else _innermost(error.__cause__)


def _line(error: BaseException) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(":")
    text = re.sub(
        r'Error opening "\w+" driver: | \[\w+(\[\d+\])?=.*', "", text
    )  # of TensorStore: where in its code
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
