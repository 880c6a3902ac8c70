"""A run that goes on from its newest good checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jaxgan.common import processes
from jaxgan.common.errors import InputError
from jaxgan.common.progress import counted
from jaxgan.common.user_files import is_file, short_name
from jaxgan.config.config import Config
from jaxgan.config.data import located, open_fitting
from jaxgan.config.fields import differences, with_fields
from jaxgan.data import Spec
from jaxgan.data.splits import as_recorded
from jaxgan.runs.checkpoint import Checkpoints
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.lock import locked
from jaxgan.runs.opened import buildable, changed_data, found_again, saved_steps
from jaxgan.runs.schema import check_meta
from jaxgan.train.members import set_up
from jaxgan.train.run import train_in
from jaxgan.train.sinks.loggers import need_loggers


def resume(
    folder: RunFolder, *, steps: int | None = None, source: str | None = None, restart_schedule: bool = False
) -> RunFolder:
    """Goes on with a run from its newest good checkpoint, exactly as if it had never stopped.

    What is changed about the run is kept as "history" in run.json.

    Args:
      folder: of the run; code that a run brings and this user has not trained with is run only if it is trusted.
      steps: train up to this step instead.
      source: where the same data are to be found now.
      restart_schedule: where schedules depend on the number of steps, follow those of a run of `steps` steps from
        here on; they do not go on as they were.

    Raises:
      InputError: if there is nothing to resume, another process trains it, or the configuration or the data have
        changed (the message names the fields).
      Diverged, Stopped, SaveError: as `train`.
    """
    folder = replace(folder, silent=not processes.first())
    folder.facts()  # where there is no run there is nothing to be locked
    folder.check_links()
    with locked(folder.path):
        return _resume(folder, steps, source, restart_schedule)


def _resume(folder: RunFolder, steps: int | None, source: str | None, restart_schedule: bool) -> RunFolder:
    facts, config = folder.facts(), folder.config()
    need_loggers(config.logger)
    own = folder.read("config.json")  # as it was given: `config` takes files from the run's own copies
    reached, schedules = max(saved_steps(folder), default=0), scheduled(config)
    _check_steps(config, steps, reached, schedules, restart_schedule)
    saved = processes.from_first(lambda: _saved_config(folder))  # all go by one
    if saved is not None:
        restarted = [entry for entry in facts.get("history", []) if entry.get("restart_schedule")]
        if not schedules or any(entry.get("steps") == config.steps for entry in restarted):
            saved["steps"] = config.steps  # which changes nothing before the end, or was changed knowingly
        if changed := differences(with_source(saved, ""), with_source(own, "")):
            raise InputError(
                f"config.json of {str(folder.path)!r} has changed since the checkpoint: {'; '.join(changed)}; "
                "put it back, or start a new run"
            )
    changes: dict[str, Any] = {}
    if steps is not None and steps != config.steps:
        changes["steps"] = steps
    if source is not None:
        changes["data.source"] = replacement(config, source)
    config = with_fields(config, **changes)
    with buildable(folder), found_again():
        data = as_recorded(open_fitting(config), facts["data"])
        members = set_up(config, source=data, starts=saved_steps(folder))
    check_data(facts["data"], members.data)

    def going_on() -> None:
        if not changes:
            return
        plain, told = own, dict(changes)
        if "steps" in changes:
            plain = {**plain, "steps": steps}
        if source is not None:
            plain = with_source(plain, changes["data.source"])
            folder.update(data={**facts["data"], "name": members.data["name"]})
        if restart_schedule and "steps" in changes:
            told["restart_schedule"] = schedules
        folder.add_history(at=reached, **told)
        folder.write("config.json", plain)

    folder.config(trains=True)
    return train_in(folder, [folder], members, going_on=going_on)


def _check_steps(
    config: Config, steps: int | None, reached: int, schedules: list[str], restart: bool
) -> None:
    """Raises InputError for a number of steps that cannot be."""
    if restart and steps is None:
        raise InputError("restart-schedule: expected --steps N beside it, got none")
    if steps is None:
        return
    if steps < max(reached, 1):
        raise InputError(
            f"steps: expected at least {max(reached, 1)}, which the run has reached, got {steps}"
        )
    if schedules and not restart and steps != config.steps:
        raise InputError(
            f"steps: cannot change, as these follow a schedule over the {counted(config.steps, 'step')} of the run: "
            f"{', '.join(schedules)}; --restart-schedule goes on by the schedules of a run of {counted(steps, 'step')}"
        )


def scheduled(config: Config) -> list[str]:
    """The settings whose effect before the end of a run depends on its number of steps, with their values."""
    if is_file(config.game):  # which may do anything with it
        return [f"game {short_name(config.game)}"]
    fields = [
        ("g_optimizer.schedule", config.g_optimizer.schedule, "constant"),
        ("d_optimizer.schedule", config.d_optimizer.schedule, "constant"),
        ("e_optimizer.schedule", config.e_optimizer.schedule, "constant"),
        ("penalty.schedule", config.penalty.schedule, "constant"),
        ("ema.schedule", config.ema.schedule, "constant"),
        ("augment", "ada_scheduled" if _rises(config) else "", ""),
    ]
    fields = [] if config.schedule_kimg else fields
    fields += [
        ("dynamics.top_k", config.dynamics.top_k, 1),
        ("dynamics.instance_noise", config.dynamics.instance_noise, 0),
        ("dynamics.blur", config.dynamics.blur, 0),
    ]
    return [f"{name} {value}" for name, value, still in fields if value != still]


def _rises(config: Config) -> bool:
    """Whether the strength of an augmentation goes with the run."""
    return "ada_scheduled" in config.augment and "steps" not in dict(config.augment_options)


def replacement(config: Config, source: str) -> str:
    """The name of another place of the data, as config.json keeps it. Raises InputError where code is involved."""
    if is_file(source) or is_file(config.data.source):
        raise InputError(
            f"data.source: expected data of the package's own, whose content is checked, got {source!r} in place of "
            f"{config.data.source!r}"
        )
    return located(source)


def with_source(plain: Mapping[str, Any], source: str) -> dict[str, Any]:
    """A configuration in its JSON form with another source; that the data are the same is told by their fingerprint."""
    data = plain.get("data")
    return {**plain, "data": {**data, "source": source}} if isinstance(data, Mapping) else dict(plain)


def check_data(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raises InputError if data are not those that a run began with, wherever they lie now."""
    if "bounded" not in recorded:  # as in runs of before there was more than one range for a shape
        bounded = Spec.from_json(recorded).modality.bounded
        if bounded != found["bounded"]:
            raise InputError(
                "run: its networks make images in [-1, 1], as older versions took all data of this shape to be; start "
                "a new run"
            )
        recorded = {**recorded, "bounded": bounded}
    same = dict.fromkeys(("name", "n", "fingerprint"))
    others = differences({**recorded, **same}, {**found, **same})
    if others or any(recorded.get(key) != found[key] for key in ("n", "fingerprint")):
        raise changed_data(recorded, found, other="".join(f"; {text}" for text in others))


def _saved_config(folder: RunFolder) -> dict[str, Any] | None:
    checkpoints = Checkpoints(folder.path, read_only=True)
    try:
        for step in reversed(checkpoints.steps()):
            with contextlib.suppress(Exception):  # a broken checkpoint; restoring deals with it
                meta = checkpoints.meta(step)
                check_meta("", meta)
                return meta["config"]
    finally:
        checkpoints.close()
    return None
