"""Every application on real data, with each score beside that of what a person would use instead, in one report.

    python experiments/applications.py --quick                     # some 50 minutes on two busy CPU cores
    python experiments/applications.py [--only anomalies editing] [--out DIR] [--again] [--record]

Runs the scripts in experiments/applications/, each of which also runs by itself and names there what it needs:
restoration, translation, encoders (vae_or_gan), anomalies, augmentation, editing, dissection. One that has its result
in DIR, quick or not as is asked for, is not run again, unless `--again` says so; one that fails or takes too long is
reported as such, and the others go on. It ends in DIR/applications.html, .md and .json; --record also renews those
under experiments/results/.
"""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxgan.cli.arguments import run_script
from jaxgan.common.errors import unknown
from jaxgan.common.files import write_atomically
from jaxgan.report import html
from jaxgan.runs.environment import environment

HERE = pathlib.Path(__file__).parent
SECTIONS = ("restoration", "translation", "vae_or_gan", "anomalies", "augmentation", "editing", "dissection")
RESULTS = HERE / "results"


@dataclass(frozen=True)
class Args:
    """What is run."""

    quick: bool = False
    """The settings for two CPU cores."""
    only: tuple[str, ...] = ()
    """Sections; none: all."""
    out: pathlib.Path = pathlib.Path("runs/applications")
    """Folder of the results."""
    again: bool = False
    """Run what has its result, too."""
    limit: float = 1800.0
    """Seconds after which a section is given up; --quick: a third."""
    record: bool = False
    """Renew the report under experiments/results/."""
    note: str = ""
    """What the report is to say of the machine, as that it had other work."""


def ran(name: str, args: Args) -> str:
    """Runs a section in a process of its own; why it has no result, or ""."""
    folder, found = args.out / name, args.out / name / f"{name}.json"
    if found.exists() and not args.again and json.loads(found.read_text()).get("quick") == args.quick:
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    found.unlink(missing_ok=True)
    words = ["--out", os.path.relpath(folder), *(["--quick"] if args.quick else [])]
    limit = args.limit / 3 if args.quick else args.limit
    paths = [str(HERE.parent.absolute()), *filter(None, [os.environ.get("PYTHONPATH")])]
    log = folder / "log.txt"
    with log.open("w") as stream:
        try:
            done = subprocess.run(
                [sys.executable, os.path.relpath(HERE / "applications" / f"{name}.py"), *words],
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=limit,
                check=False,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )
        except subprocess.TimeoutExpired:
            return f"{limit:.0f} s were over ({log})"
    if done.returncode == 0 and found.exists():
        return ""
    return (log.read_text(errors="replace").strip().splitlines() or ["no word"])[-1]


def number(value: Any) -> str:
    """To three digits; "–" for none."""
    return "–" if value is None else f"{value:.3g}"


def with_interval(value: Any, interval: Sequence[float] | None) -> str:
    """A value, and its interval where it has one."""
    known = interval is not None and None not in interval
    return number(value) + (
        f" ({number(interval[0])} to {number(interval[1])})" if interval and known else ""
    )


HEAD = ("what", "score", "better", "ours", "baseline", "its score")


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row of a section's table."""
    baseline = with_interval(row.get("baseline_value"), row.get("baseline_interval"))
    ours = with_interval(row["ours"], row.get("interval"))
    return row["what"], row["score"], row["better"], ours, row.get("baseline") or "–", baseline


def said_of(goal: dict[str, Any]) -> str:
    """A goal in words."""
    return f"{'met' if goal['met'] else 'NOT met'}: {goal['goal']} ({goal['figure']})"


def where(found: dict[str, Any], note: str) -> str:
    """When the sections ran and on what, in words, and all their time."""
    known = [section for section in found["sections"].values() if "environment" in section]
    dates = sorted({section["environment"]["date"][:10] for section in known})
    own = found["environment"]
    minutes = sum(section["seconds"] for section in known) / 60
    words = [
        " to ".join(dict.fromkeys((*dates[:1], *dates[-1:]))),
        f"jaxgan {own['jaxgan']}",
        f"jax {own['packages']['jax']}",
    ]
    words += [
        f"{own['cores']} cores ({own['processor']}), {own['backend']}",
        f"{minutes:.0f} minutes in all",
        note,
    ]
    return "; ".join(filter(None, words))


def as_markdown(sections: dict[str, dict[str, Any]], command: str, said: str) -> str:
    """The report as text."""
    lines = ["# Applications", "", f"`{command}`", "", said, ""]
    for name, section in sections.items():
        lines += [f"## {section.get('title', name)}", ""]
        if "none" in section:
            lines += [f"No result: {section['none']}", ""]
            continue
        lines += [section["protocol"], "", f"{section['seconds']:.0f} s.", ""]
        lines += [f"- {said_of(goal)}" for goal in section["goals"]]
        lines += ["", f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}"]
        lines += [f"| {' | '.join(cells(row))} |" for row in section["rows"]]
        lines += ["", *(f"![{picture}](applications/{picture})" for picture in section["pictures"]), ""]
    return "\n".join(lines)


def as_page(sections: dict[str, dict[str, Any]], command: str, said: str, out: pathlib.Path) -> str:
    """The report as a page that holds its pictures."""
    content: list[Any] = [html.tag("h1", "Applications"), html.tag("p", html.tag("code", command))]
    content.append(html.tag("p", said))
    for name, section in sections.items():
        content.append(html.tag("h2", section.get("title", name)))
        if "none" in section:
            content.append(html.tag("p", f"No result: {section['none']}"))
            continue
        content.append(html.tag("ul", [html.tag("li", said_of(goal)) for goal in section["goals"]]))
        content.append(html.table(HEAD, map(cells, section["rows"])))
        for picture in section["pictures"]:
            address = html.data_url((out / name / picture).read_bytes())
            content.append(html.figure(address, picture.removesuffix(".png"), picture))
        content.append(html.details("Protocol", f"{section['protocol']}; {section['seconds']:.0f} s"))
    return html.page("Applications", *content)


def main(args: Args) -> int:
    for name in args.only:
        if name not in SECTIONS:
            raise unknown("only", name, SECTIONS)
    args.out.mkdir(parents=True, exist_ok=True)
    sections: dict[str, dict[str, Any]] = {}
    for name in args.only or SECTIONS:
        begun = time.monotonic()
        print(f"== {name}", flush=True)
        why = ran(name, args)
        found: dict[str, Any] = (
            {"none": why} if why else json.loads((args.out / name / f"{name}.json").read_text())
        )
        sections[name] = found
        for line in [why] if why else [said_of(goal) for goal in found["goals"]]:
            print(f"  {line}", flush=True)
        print(f"  {time.monotonic() - begun:.0f} s", flush=True)
    command = shlex.join(["python", "experiments/applications.py", *sys.argv[1:]])
    record: dict[str, Any] = {"command": command, "note": args.note, "environment": environment()}
    record["sections"] = sections
    said = where(record, args.note)
    text = as_markdown(sections, command, said)
    for folder in (args.out, RESULTS) if args.record else (args.out,):
        write_atomically(folder / "applications.json", json.dumps(record, indent=1) + "\n")
        write_atomically(folder / "applications.md", text)
    pictures = [(name, picture) for name in sections for picture in sections[name].get("pictures", ())]
    for name, picture in pictures if args.record else ():
        (RESULTS / "applications").mkdir(exist_ok=True)
        shutil.copyfile(args.out / name / picture, RESULTS / "applications" / picture)
    write_atomically(args.out / "applications.html", as_page(sections, command, said, args.out))
    print(f"wrote {args.out / 'applications'}.html, .md and .json")
    return int(any("none" in section for section in sections.values()))


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
