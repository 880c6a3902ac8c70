"""What there is to say of a run in a line: for tables of many, and for comparisons."""

from __future__ import annotations

import pathlib
from dataclasses import asdict, dataclass
from typing import Any

from jaxgan.common.errors import InputError
from jaxgan.common.user_files import short_name
from jaxgan.config.data import without_path
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.lock import owner_of
from jaxgan.runs.seeds import RECORD, member_folder


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A run in a line.

    Attributes:
      name: of its folder.
      path: of its folder.
      data: that it is trained on.
      network: family of its networks, or its own game.
      loss: of its players.
      step: that it has reached.
      steps: that it is to reach.
      score_name: name of the score that follows; "" if it was not scored.
      score: the main score of the last step, in full where it has come to an end.
      state: "running", "killed" (nobody trains it, and it has not ended), "finished", "stopped", "diverged", "failed",
        or "damaged: " and why.
      seconds: of training; None where it is not known.
      seeds: how many members it has; 1 for an ordinary run.
    """

    name: str
    path: str
    data: str = ""
    network: str = ""
    loss: str = ""
    step: int = 0
    steps: int = 0
    score_name: str = ""
    score: float | None = None
    state: str = ""
    seconds: float | None = None
    seeds: int = 1

    def to_json(self) -> dict[str, Any]:
        """A plain dict."""
        return asdict(self)


def is_run(path: pathlib.Path) -> bool:
    """Whether a folder is one of a run, of one seed or of several."""
    return (path / "run.json").is_file() or (path / RECORD).is_file()


def runs_in(path: pathlib.Path) -> list[Summary]:
    """The runs in a folder, by name; of a run itself, that one.

    Raises:
      InputError: if there is no such folder.
    """
    if is_run(path):
        return [summary_of(path)]
    if path.exists() and not path.is_dir():
        raise InputError(f"folder: expected the folder of runs, got {str(path)!r}, which is a file")
    if not path.is_dir():
        raise InputError(f"folder: expected the folder of runs, got {str(path)!r}, which does not exist")
    return [summary_of(entry) for entry in sorted(path.iterdir()) if is_run(entry)]


def summary_of(path: pathlib.Path) -> Summary:
    """What there is to say of a run; one that cannot be read is "damaged"."""
    folder = RunFolder(path)
    try:
        return _of_seeds(folder) if (path / RECORD).is_file() else _of_one(folder)
    except InputError as error:
        return Summary(name=path.name, path=str(path), state=f"damaged: {str(error).removeprefix('run: ')}")


def _of_one(folder: RunFolder) -> Summary:
    facts, config, records = folder.read("run.json"), folder.read("config.json"), folder.records()
    last = records[-1] if records else {}
    name, score = _score(folder, records)
    network, loss = _made_of(config)
    return Summary(
        name=folder.path.name,
        path=str(folder.path),
        data=without_path(facts["data"]["name"]),
        network=network,
        loss=loss,
        step=max(
            [
                last.get("step", 0),
                *(
                    int(entry.name)
                    for entry in folder.path.glob("checkpoints/[0-9]*")
                    if entry.name.isdigit()
                ),
            ]
        ),
        steps=config.get("steps", 0),
        score_name=name,
        score=score,
        state=_state(folder.path, facts["status"]),
        seconds=facts.get("train_seconds"),
    )


def _of_seeds(folder: RunFolder) -> Summary:
    record = folder.read(RECORD)
    members = [_of_one(member_folder(folder, seed)) for seed in record["seeds"]]
    first, name, score = members[0], members[0].score_name, None
    if (folder.path / "summary.json").is_file():
        summary = folder.read("summary.json")
        final = (
            summary["scores"].get(summary["main"] or "", {}).get("final")
        )  # it has one only if it was scored
        name, score = summary["main"] or "", final and final["mean"]
    return Summary(
        name=folder.path.name,
        path=str(folder.path),
        data=first.data,
        network=first.network,
        loss=first.loss,
        step=min(member.step for member in members),
        steps=first.steps,
        score_name=name,
        score=score,
        state=_state(folder.path, record["status"]),
        seconds=first.seconds,
        seeds=len(members),
    )


def _made_of(config: dict[str, Any]) -> tuple[str, str]:
    """Networks and loss, as people call them."""
    if config.get("game", "gan") != "gan":  # which runs of before there were others do not say
        return short_name(config["game"]), "–"
    penalties = [short_name(name) for name, _ in config.get("penalty", {}).get("weights", ())]
    model, loss = config.get("model", {}).get("name", "–"), config.get("loss", "–")
    return short_name(model), " + ".join([short_name(loss), *penalties])


def _score(folder: RunFolder, records: list[dict[str, Any]]) -> tuple[str, float | None]:
    if (folder.path / "scores.json").is_file():
        scores = folder.read("scores.json")
        if scores["main"] and not any(r["step"] > scores["final"]["step"] for r in records):
            return scores["main"], scores["final"]["scores"][scores["main"]]["value"]
    scored = [record for record in records if record.get("score") is not None]
    return (str(scored[-1].get("score_name", "score")), scored[-1]["score"]) if scored else ("", None)


def _state(path: pathlib.Path, status: str) -> str:
    if owner_of(path) is not None:
        return "running"
    return "killed" if status == "running" else status
