"""How members go on from what is kept of them."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from jaxgan.common import processes
from jaxgan.common.errors import InputError
from jaxgan.train.keeper import RunKeeper
from jaxgan.train.members import Members


def restored(
    members: Members, keepers: Sequence[RunKeeper], path: pathlib.Path
) -> Callable[[], tuple[Any, int]]:
    """Finds the newest step that every member has saved and that can be read, for all to go on from there.

    Checkpoints after it that cannot be read are set aside. If no member has more than one checkpoint, as after a kill
    during the first save, all begin again. Members whose keepers are closed only take their place.

    Args:
      members: that go on.
      keepers: of each of them.
      path: of the folder of all, for messages.

    Returns:
      A function that makes the folders ready to go on there, and returns the states and their step. Nothing is
      changed before it is called.

    Raises:
      InputError: if there is no such step.
    """
    open_ones = [keeper for keeper in keepers if keeper.open]
    several, like, broken = len(keepers) > 1, members.like(), []
    saved = {keeper.folder.path.name: keeper.checkpoints.steps() for keeper in open_ones}
    processes.check_same(checkpoints=saved)  # file systems that machines share are late
    common = sorted(set.intersection(*map(set, saved.values())))
    for step in reversed(common):
        found = {}
        for keeper in open_ones:
            try:
                found[keeper.k] = keeper.checkpoints.read(step, like)
            except processes.Late:  # which says nothing of the checkpoint
                raise
            except InputError as error:
                broken.append((keeper, step, error))
        if len(found) < len(open_ones):
            continue

        def gone_on(step: int = step, found: dict[int, Any] = found) -> tuple[Any, int]:
            for keeper, bad, why in broken:
                keeper.set_aside(bad, why, f", and all go back to step {step:,}" if several else "")
            states = {}
            for keeper in open_ones:
                states[keeper.k] = keeper.go_on(step, *found[keeper.k])
            every = [states[k] if k in states else members.init_member(k) for k in range(len(keepers))]
            return members.joined(every), step

        return gone_on
    if common:
        raise InputError(
            f"no checkpoint{'s' * several} to go on from in {str(path)!r}: none of {common} can be read"
            f"{' for every member' * several}; {broken[0][2]}"
        )
    if any(len(steps) > 1 for steps in saved.values()):  # more than an interrupted first save leaves
        raise InputError(f"no step that all members have saved: {saved}; nothing was changed")
    if not any(saved.values()):
        for keeper in open_ones:
            _hold_unsaved(keeper)

    def begun() -> tuple[Any, int]:
        every = [keeper.begin_again() if keeper.open else members.init_member(keeper.k) for keeper in keepers]
        return members.joined(every), 0

    return begun


def _hold_unsaved(keeper: RunKeeper) -> None:
    """Raises InputError for a run that has saved checkpoints, of which none is left."""
    records = keeper.folder.records()
    reached = records[-1]["step"] if records else 0
    # the second save begins once the first has ended
    if (
        keeper.folder.read("run.json")["status"] == "finished"
        or reached >= 2 * keeper.config.checkpoint_every
    ):
        raise InputError(
            f"checkpoints: expected those of a run that has reached step {reached:,}, there are none in "
            f"{str(keeper.folder.path / 'checkpoints')!r}; put them back, or start a new run"
        )
