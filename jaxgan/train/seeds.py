"""One configuration over several seeds in one program: `jaxgan train PRESET --seeds N`.

The folder holds one ordinary run folder a seed (`seed-00000/`, which `sample`, `evaluate` and `load`
open), `seeds.json`, and, at the end, `summary.json` and `report.html` with means and intervals.
"""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.config.config import Config
from jaxgan.config.data import located, open_fitting
from jaxgan.config.fields import differences, to_json, with_fields
from jaxgan.data import Source
from jaxgan.data.splits import as_recorded
from jaxgan.report.seeds import summary_lines, write_summary
from jaxgan.runs.environment import environment
from jaxgan.runs.folder import RunFolder, check_name, create, new_folder
from jaxgan.runs.lock import check_held, locked
from jaxgan.runs.opened import buildable, found_again, saved_steps
from jaxgan.runs.seeds import RECORD, is_alive, member_folder, summarise
from jaxgan.train.members import Members
from jaxgan.train.resume import check_data, replacement, with_source
from jaxgan.train.run import is_own, train_in, write_reals
from jaxgan.train.sinks.base import Sink
from jaxgan.train.sinks.loggers import need_loggers
from jaxgan.train.stops import Diverged
from jaxgan.train.trial import tried


def train_seeds(
    config: Config, n: int, command: Sequence[str] | None = None, *, name: str | None = None
) -> RunFolder:
    """Trains `n` seeds, from `config.seed` on, side by side in a new folder.

    Args:
      config: of all members.
      n: how many.
      command: the command line, for the reports.
      name: of the run, which ends its folder's name; None: that of the preset, and "seeds".

    Returns:
      The folder, with report.html.

    Raises:
      InputError: for a configuration or data that cannot be trained.
      Diverged: if every member did; others' ends are results.
      Stopped: after SIGINT, SIGTERM or SIGHUP; `resume_seeds` goes on.
      SaveError: if something cannot be written.
    """
    config = with_fields(config, **{"data.source": located(config.data.source)})
    name = f"{config.preset}-seeds" if name is None else check_name(name)
    members = members_of(config, n)
    tried(members)
    seeds = members.seeds
    folder = new_folder(config, name)
    text = shlex.join(command) if command else f"jaxgan train {config.preset} --seeds {n}"
    env = environment(config.compute.matmul_precision)
    own = [member_folder(folder, seed) for seed in seeds]
    with locked(folder.path):
        for seed, member in zip(seeds, own, strict=True):
            one, modality = with_fields(config, seed=seed), is_own(members.source)
            create(one, members.data, env, text, member.path, own_modality=modality)
        write_reals(members, *own)
        record = {"status": "running", "command": text, "seeds": seeds, "how": members.how}
        folder.write(RECORD, {**record, "config": to_json(config), "environment": env})
        with locked(*(member.path for member in own)):
            return train_in(folder, own, members, sinks=lambda terminal: [_Record(folder, terminal)])


def members_of(config: Config, n: int, *, source: Source | None = None) -> Members:
    """The members of `n` seeds, from `config.seed` on, with data that are open already, or else opened.

    Raises:
      InputError: for what cannot be trained so.
    """
    check_range("seeds", n, at_least=1)
    if config.compute.how not in ("auto", "jit"):
        raise InputError(
            f"compute.how: expected 'jit' with --seeds, whose members are mapped, got {config.compute.how!r}"
        )
    if config.health.roll_back:
        raise InputError(
            "health.roll_back: expected 0 with --seeds, whose members go on side by side, got "
            f"{config.health.roll_back}"
        )
    need_loggers(config.logger)
    seeds = [config.seed + k for k in range(n)]
    return Members(config, seeds, how=config.compute.members, devices=config.compute.devices, source=source)


def is_seeds(path: pathlib.Path) -> bool:
    """Whether a folder holds a run of several seeds."""
    return (path / RECORD).exists()


def resume_seeds(folder: RunFolder, *, source: str | None = None) -> RunFolder:
    """Goes on with all members from the newest step that all have saved.

    Args:
      folder: of all.
      source: where the same data are to be found now.

    Raises:
      InputError: if the folder cannot be read, another process trains it, or a member's configuration has changed.
      Diverged, Stopped, SaveError: as `train_seeds`.
    """
    record = folder.read(RECORD)
    folder.check_links()
    if missing := [name for name in ("seeds", "how", "config") if not record.get(name)]:
        raise InputError(f"run: {str(folder.path / RECORD)!r} is damaged: it has no {missing[0]}")
    own = [member_folder(folder, seed) for seed in record["seeds"]]
    for member, seed in zip(own, record["seeds"], strict=True):
        plain = with_source(member.read("config.json"), "")
        if changed := differences({**with_source(record["config"], ""), "seed": seed}, plain):
            raise InputError(
                f"config.json of {str(member.path)!r} has changed: {'; '.join(changed)}; put it back"
            )
    with locked(folder.path, *(member.path for member in own)):
        return _resume_seeds(folder, own, record, source)


def _resume_seeds(
    folder: RunFolder, own: list[RunFolder], record: dict[str, Any], source: str | None
) -> RunFolder:
    facts, config = [member.facts() for member in own], own[0].config()
    need_loggers(config.logger)
    alive = [member for member in own if is_alive(member)]
    if not alive:
        raise Diverged(f"all {len(own)} members have diverged: there is nothing to go on with")
    starts = sorted(set.intersection(*(set(saved_steps(member)) for member in alive)))
    if source is not None:
        source = replacement(config, source)
        config = with_fields(config, **{"data.source": source})
    with buildable(folder), found_again():
        members = Members(
            config,
            record["seeds"],
            how=record["how"],
            devices=config.compute.devices,
            source=as_recorded(open_fitting(config), facts[0]["data"]),
            starts=starts,
        )
    for known in facts:
        check_data(known["data"], members.data)

    def going_on() -> None:
        if source is not None:
            for member, known in zip(own, facts, strict=True):
                member.update(data={**known["data"], "name": members.data["name"]})
                member.add_history(at=max(starts, default=0), **{"data.source": source})
                member.write("config.json", with_source(member.read("config.json"), source))
            folder.update_file(RECORD, config=with_source(record["config"], source))
        folder.update_file(RECORD, status="running", error=None)

    own[0].config(trains=True)
    return train_in(
        folder, own, members, going_on=going_on, sinks=lambda terminal: [_Record(folder, terminal)]
    )


class _Record(Sink):
    """seeds.json and, at the end, summary.json and the report of all."""

    def __init__(self, folder: RunFolder, terminal: Sink) -> None:
        self._folder, self._terminal = folder, terminal

    def close(self, status: str, error: str | None) -> None:
        """Sums up, if all is done. Raises TakenOver where the folder is another process's by now."""
        check_held(self._folder.path)
        summary = summarise(self._folder) if status == "finished" else None
        if summary is not None:
            write_summary(self._folder, summary)
        self._folder.update_file(RECORD, status=status, error=error)
        if summary is not None:
            for line in summary_lines(summary):
                self._terminal.note(line)
