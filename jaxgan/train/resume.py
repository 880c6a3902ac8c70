"""A run that goes on from its newest good checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from jaxgan.common.errors import InputError
from jaxgan.config.config import Config
from jaxgan.config.fields import differences
from jaxgan.runs.checkpoint import Checkpoints
from jaxgan.runs.folder import RunFolder
from jaxgan.train.loggers import need_loggers
from jaxgan.train.members import set_up
from jaxgan.train.run import train_in


def resume(folder: RunFolder, *, steps: int | None = None) -> RunFolder:
    """Goes on with a run from its newest good checkpoint, exactly as if it had never stopped.

    Args:
      folder: of the run.
      steps: train up to this step instead; only where no schedule depends on the number of steps.

    Raises:
      InputError: if there is nothing to resume, or the configuration or the data have changed (the
        message names the fields).
      Diverged, Stopped, SaveError: as `train`.
    """
    recorded, config = folder.facts()["data"], folder.config()
    need_loggers(config.logger)
    saved = _saved_config(folder)
    own = folder.read("config.json")  # as it was given: `config` takes a loss file from the run's own copy
    constant = _constant(config)
    if steps is not None:
        reached = max(saved_steps(folder), default=0)
        if steps < max(reached, 1):
            raise InputError(
                f"steps: expected at least {max(reached, 1)}, which the run has reached, got {steps}"
            )
        if not constant:
            raise InputError(
                "steps: cannot change, as a learning rate, penalty, noise or share of fakes follows a schedule "
                "over the run"
            )
    if saved is not None and constant:  # then the number of steps changes nothing before its end
        saved["steps"] = config.steps
    if saved is not None and (changed := differences(saved, own)):
        raise InputError(
            f"config.json of {str(folder.path)!r} has changed since the checkpoint: {'; '.join(changed)}; "
            "put it back, or start a new run"
        )
    if steps is not None:
        config = dataclasses.replace(config, steps=steps)
    members = set_up(config, starts=saved_steps(folder))
    if changed := differences(recorded, members.data):
        raise InputError(f"data.source: the data have changed since the run began: {'; '.join(changed)}")
    if steps is not None:
        folder.write("config.json", {**own, "steps": steps})
    return train_in(folder, [folder], members, resumed=True)


def _constant(config: Config) -> bool:
    """Whether the number of steps changes nothing before its end."""
    schedules = {config.g_optimizer.schedule, config.d_optimizer.schedule, config.penalty.schedule}
    if config.game != "gan":  # which may do anything with it
        return False
    return schedules == {"constant"} and config.dynamics.top_k == 1 and config.dynamics.instance_noise == 0


def saved_steps(folder: RunFolder) -> list[int]:
    """Steps of the checkpoints of a run."""
    checkpoints = Checkpoints(folder.path, read_only=True)
    try:
        return checkpoints.steps()
    finally:
        checkpoints.close()


def _saved_config(folder: RunFolder) -> dict[str, Any] | None:
    checkpoints = Checkpoints(folder.path, read_only=True)
    try:
        for step in reversed(checkpoints.steps()):
            with contextlib.suppress(Exception):  # a broken checkpoint; restoring deals with it
                return checkpoints.meta(step)["config"]
    finally:
        checkpoints.close()
    return None
