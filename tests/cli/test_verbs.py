"""What holds for every verb: its own help, and no more imported than it needs; how verbs and scripts end."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass

import pytest

from jaxgan.__main__ import USAGE, VERBS, main
from jaxgan.cli.arguments import Positional, dispatch, parse, run_script
from jaxgan.cli.status import exit_status
from jaxgan.common.errors import InputError
from jaxgan.config.presets import CLASSIC, PRESETS
from jaxgan.config.recipes import RECIPES

SUB_VERBS = ("losses check", "losses plot", "metrics train-features", "data show", "data prepare")
OWN_WORDS = {
    "train": "Print the resolved configuration",
    "resume": "exactly as if it had never stopped",
    "sample": "a seed always gives the same image",
    "evaluate": "images of any origin",
    "runs": "List the runs in a folder",
    "compare": "Write a page with runs side by side",
    "apply": "A file that cannot be read is told of",
    "anomalies": "the most and least normal images",
    "project": "Find latents of real images",
    "directions": "Find directions among the latents of a run",
    "edit": "walk from one to another",
    "dissect": "what images are without them",
    "export": "a sampler that needs JAX alone",
    "losses": "jaxgan losses check",
    "compile": "for a machine that is not here",
    "check": "Run every law on something of your own",
    "losses check": "Run every law on a loss",
    "losses plot": "as functions of the logit",
    "metrics": "jaxgan metrics train-features",
    "metrics train-features": "Train a small classifier",
    "presets": "List the presets",
    "data": "jaxgan data prepare",
    "data show": "real examples of a source",
    "data prepare": "Download a dataset",
    "doctor": "versions, devices, memory and folders",
}


def python(code):
    """What a fresh process prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("verb", [*VERBS, *SUB_VERBS])
def test_every_verb_has_a_help_of_its_own(verb, capsys):
    try:
        status = main([*verb.split(), "--help"])
    except SystemExit as stop:
        status = stop.code
    out = capsys.readouterr().out
    assert status == 0
    assert f"jaxgan {verb}" in out
    assert OWN_WORDS[verb] in " ".join(out.split())


def test_the_usage_names_every_verb():
    named = [line.split()[1] for line in USAGE.splitlines() if line.startswith("  jaxgan ")]
    assert named == list(VERBS)


# --- what is imported --------------------------------------------------------------------------------

REFUSED = ("tensorflow_datasets", "tensorflow", "grain", "matplotlib", "tensorboardX")
WITHOUT = f"""
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {REFUSED}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuse())
from jaxgan.__main__ import main
"""


def test_lists_and_help_do_without_optional_packages():
    out = python(
        WITHOUT
        + """
for args in ("--help", "presets", "losses", "train --help"):
    try:
        assert main(args.split()) == 0
    except SystemExit as stop:
        assert stop.code == 0
"""
    )
    for words in ("jaxgan resume RUN", "toy-grid", "relativistic_paired", "--batch-size"):
        assert words in out
    with pytest.raises(AssertionError, match="No module named 'matplotlib'"):
        python(WITHOUT + "main(['losses', 'plot', 'hinge'])")


def test_the_package_and_its_help_need_no_jax():
    heavy = "{'jax', 'numpy', 'tyro', 'rich'} & set(sys.modules)"
    python(f"import sys, jaxgan; assert not {heavy}, {heavy}")
    python(f"import sys, jaxgan.__main__ as m; m.main(['--help']); assert not {heavy}, {heavy}")


@pytest.mark.parametrize(
    ("command", "idle"),
    [
        ("losses", "flax optax scipy.stats PIL rich jaxgan.metrics"),
        ("train --help", "scipy.stats PIL orbax jaxgan.metrics jaxgan.train"),
    ],
)
def test_what_a_verb_does_not_use_is_not_imported(command, idle):
    python(
        f"""
import contextlib, sys
from jaxgan.__main__ import main
with contextlib.suppress(SystemExit):
    main({command.split()})
found = set({idle.split()}) & set(sys.modules)
assert not found, found
"""
    )


# --- arguments ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Take:
    """Take things."""

    names: Positional[tuple[str, ...]] = ()
    """What to take."""
    count: int = 1
    """How often."""


def take(args):
    """Takes NAMES."""
    parsed = parse(Take, args, "things take")
    print(parsed.names, parsed.count)
    return 7


def leave(args):
    """Leaves everything."""


def test_verbs_of_a_verb(capsys):
    both, with_none = {"take": take, "leave": leave}, {"": leave, "take": take}
    assert dispatch("things", ["take", "a", "b", "--count", "2"], both) == 7
    assert capsys.readouterr().out == "('a', 'b') 2\n"
    assert dispatch("things", ["--help"], with_none) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "  jaxgan things       Leaves everything.",
        "  jaxgan things take  Takes NAMES.",
    ]
    assert dispatch("things", [], with_none) is None
    for args, message in (([], "got 'nothing'"), (["tak"], "got 'tak'; did you mean 'take'?")):
        with pytest.raises(InputError) as caught:
            dispatch("things", args, both)
        assert str(caught.value).strip() == f"things: expected 'take' or 'leave', {message}"
    with pytest.raises(InputError, match=r"unknown things command 'tak'; did you mean 'take'\? known: take"):
        dispatch("things", ["tak"], with_none)


@pytest.mark.parametrize(
    ("args", "status", "out", "err"),
    [
        ([], 3, "() 1\n", ""),
        (["x", "--count", "0"], 2, "", "error: count: expected more\n"),
        (["--cuont", "2"], 2, "", "did you mean --count? (see python study.py --help)\n"),
        (["--count", "2e0"], 3, "() 2\n", ""),
    ],
)
def test_scripts_end_as_the_command_does(args, status, out, err, monkeypatch, capsys):
    def script(parsed):
        if not parsed.count:
            raise InputError("count: expected\n  more")
        print(parsed.names, parsed.count)
        return 3

    monkeypatch.setattr(sys, "argv", ["study.py", *args])
    assert run_script(script, Take) == status
    captured = capsys.readouterr()
    assert captured.out == out
    assert captured.err.endswith(err)


def test_other_errors_are_not_hidden():
    def broken():
        raise RuntimeError("a mistake of ours")

    with pytest.raises(RuntimeError, match="of ours"):
        exit_status(broken)
    assert exit_status(lambda: None) == 0


# --- help --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", ["1", "10", "20", "79", "1000", "0", "many"])
@pytest.mark.parametrize(
    "command", ["train --help", "train --help-all", "evaluate --help", "things --cuont 1"]
)
def test_help_fits_every_terminal(command, columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    if command.startswith("things"):
        with pytest.raises(InputError, match="did you mean --count"):
            parse(Take, command.split()[1:], "things")
        with pytest.raises(InputError, match="count: expected a whole number, got 'many'"):
            parse(Take, ["--count", "many"], "things")
    else:
        with pytest.raises(SystemExit):
            main(command.split())
        longest = max(len(line) for line in capsys.readouterr().out.splitlines() if "jaxgan" not in line)
        assert 40 < longest <= 110
    assert os.environ["COLUMNS"] == columns


def test_the_first_page_is_short_and_names_presets_first(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    page = capsys.readouterr().out
    flags = re.findall(r"^  (--[\w.-]+)", page, re.M)
    assert 12 <= len(flags) <= 18
    assert page.index("toy-ring") < page.index("--steps N")
    assert all(re.search(rf"^  {preset} ", page, re.M) for preset in CLASSIC)
    assert all(
        re.search(rf"\s{preset.partition('-')[0]}[,:]", page) for preset in set(PRESETS) - set(CLASSIC)
    )
    assert all(recipe in page for recipe in RECIPES)
    assert "\n  jaxgan train photos/ --epochs 50  " in page  # examples keep their lines
    assert len(page.splitlines()) < 80
    with pytest.raises(SystemExit):
        main(["train", "mlp-mnist", "--help-all"])
    every = capsys.readouterr().out
    assert len(set(re.findall(r"(?<!\S)--[\w.-]+", every))) > 80
    assert "--model.g-widths" in every


def test_the_first_page_has_the_defaults_of_the_preset(capsys):
    with pytest.raises(SystemExit):
        main(["train", "toy-grid", "--help"])
    page = " ".join(capsys.readouterr().out.split())
    assert "with the defaults of toy-grid" in page
    assert "Number of generator updates. (13000)" in page


@pytest.mark.parametrize(("verb", "n"), [("evaluate", 4), ("edit", 6)])
def test_examples_keep_their_lines(verb, n, capsys):
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(f"    jaxgan {verb} ") for line in lines) == n
