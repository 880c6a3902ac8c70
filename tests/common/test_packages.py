"""What needs a package says so in one line, before any work: a rule of the scripts that compare with a peer."""

import pathlib
import runpy
import sys

import pytest

from jaxgan.common.errors import InputError
from jaxgan.common.packages import is_there, need

EXPERIMENTS = pathlib.Path(__file__).parents[2] / "experiments"


def test_missing_packages_are_named_with_the_command():
    need(["sys", "numpy"], "x", "pip install x")
    with pytest.raises(InputError, match=r"^x needs the package no_such_thing: pip install 'a\[b\]'$"):
        need(["numpy", "no_such_thing"], "x", "pip install 'a[b]'")
    with pytest.raises(InputError, match="needs the packages no_a, no_b.c: now"):
        need(["no_a", "no_b.c"], "x", "now")
    assert not is_there("no_such.thing")


@pytest.mark.parametrize(
    ("script", "fields", "package", "command"),
    [
        ("bench_metrics", {}, "prdc", "pip install --no-deps prdc==0.2"),
        ("bench_step", {"peer": "torch"}, "torch", "pip install torch"),
        ("compare_dinov2", {}, "transformers", "pip install --no-deps transformers"),
        ("compare_inception", {}, "torch_fidelity", "pip install --no-deps torch-fidelity"),
    ],
)
def test_scripts_that_compare_ask_first(script, fields, package, command, monkeypatch, capsys):
    content = runpy.run_path(str(EXPERIMENTS / f"{script}.py"))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError) as caught:
        content["main"](content["Args"](**fields))
    assert package in str(caught.value)
    assert command in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""  # nothing was done
