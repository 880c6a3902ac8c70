"""How members go on from what is kept of them."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from jaxgan.common import processes
from jaxgan.common.errors import InputError
from jaxgan.train.keeper import RunKeeper
from jaxgan.train.members import Members


def restored(members: Members, keepers: Sequence[RunKeeper], path: pathlib.Path) -> tuple[Any, int]:
    """All members' states at the newest step that every one of them has saved, and saved well.

    Checkpoints after it that cannot be read are set aside. Where nobody has more than one checkpoint, as after
    a kill during the first save, all begin again. Members whose keepers are closed only take their place.

    Returns:
      The states, and their step.

    Raises:
      InputError: if there is no such step; nothing was changed then.
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
            except InputError as error:
                broken.append((keeper, step, error))
        if len(found) < len(open_ones):
            continue
        for keeper, bad, why in broken:
            keeper.set_aside(bad, why, f", and all go back to step {step:,}" if several else "")
        states = {}
        for keeper in open_ones:
            states[keeper.k], meta = found[keeper.k]
            keeper.go_on(step, meta)
        every = [states[k] if k in states else members.init_member(k) for k in range(len(keepers))]
        return members.joined(every), step
    if common:
        raise InputError(
            f"no checkpoint{'s' * several} to go on from in {str(path)!r}: none of {common} can be read"
            f"{' for every member' * several}; {broken[0][2]}"
        )
    if any(len(steps) > 1 for steps in saved.values()):  # more than an interrupted first save leaves
        raise InputError(f"no step that all members have saved: {saved}; nothing was changed")
    every = [keeper.begin_again() if keeper.open else members.init_member(keeper.k) for keeper in keepers]
    return members.joined(every), 0
