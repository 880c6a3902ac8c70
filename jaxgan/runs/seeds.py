"""Runs of several seeds: the folder of all, and what they come to."""

from __future__ import annotations

import math
from typing import Any

from jaxgan.common.statistics import mean_interval
from jaxgan.runs.folder import RunFolder

RECORD = "seeds.json"


def member_folder(folder: RunFolder, seed: int) -> RunFolder:
    """The run folder of one member."""
    return RunFolder(folder.path / f"seed-{seed:05d}", folder.trust)


def is_alive(member: RunFolder) -> bool:
    """Whether a member has not diverged."""
    return member.read("run.json")["status"] != "diverged"


def summarise(folder: RunFolder) -> dict[str, Any]:
    """Means over seeds with 95 % intervals, of the final and of the best checkpoints, by score."""
    record = folder.read(RECORD)
    members = {seed: member_folder(folder, seed) for seed in record["seeds"]}
    scores = {
        seed: member.read("scores.json")
        for seed, member in members.items()
        if (member.path / "scores.json").exists()
    }
    summary: dict[str, Any] = {
        "seeds": record["seeds"],
        "diverged": [seed for seed, member in members.items() if not is_alive(member)],
        "interval": "mean over the seeds that did not diverge, 95 %, Student's",
        "scores": {},
    }
    first = next(iter(scores.values()), None)
    summary["main"] = None if first is None else first["main"]
    for name, protocol in first["final"]["scores"].items() if first is not None else ():
        entry: dict[str, Any] = {key: value for key, value in protocol.items() if key != "value"}
        for which in ("final", "best"):
            found = [s[which]["scores"].get(name, {}).get("value") for s in scores.values() if s.get(which)]
            values = [value for value in found if value is not None and math.isfinite(value)]
            entry[which] = None
            if values:
                entry[which] = mean_interval(values)._asdict() | {"values": values, "of": len(members)}
        summary["scores"][name] = entry
    return summary
