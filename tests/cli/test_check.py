"""`jaxgan check` on files of a stranger: what is right passes, and what is wrong is named."""

import pytest
from strangers import LINES, RIGHT, WRONG

from jaxgan.__main__ import main


@pytest.fixture
def checked(tmp_path, monkeypatch, capsys):
    """(text of a file, NAME, options) -> status and what was printed."""
    monkeypatch.chdir(tmp_path)

    def run(text, name, *options):
        (tmp_path / "stranger.py").write_text(text)
        status = main(["check", f"stranger.py:{name}", *options])
        return status, capsys.readouterr()

    return run


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_obeys_every_law(checked, name):
    kind, text = RIGHT[name]
    status, printed = checked(text, name)
    assert status == 0, printed.out
    assert printed.out.splitlines()[0] == f"stranger.py:{name}: {'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    assert printed.out.endswith(f"stranger.py:{name} obeys every law that applies\n")
    assert "BROKEN" not in printed.out


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_breaks_its_law(checked, what):
    name, text, law, says = WRONG[what]
    status, printed = checked(text, name)
    assert status == 1, printed.out
    broken = [line.split(maxsplit=2)[1:] for line in printed.out.splitlines() if line.startswith("BROKEN")]
    assert law in [name for name, _ in broken], printed.out
    assert says in dict(broken)[law]
    assert f"stranger.py:{name} breaks " in printed.out


@pytest.mark.parametrize("what", LINES)
def test_what_cannot_be_used_is_one_line(checked, what):
    name, text, says = LINES[what]
    status, printed = checked(text, name)
    assert status == 2, printed.out
    assert says in printed.err
    assert printed.err.count("\n") == 1


def test_kinds_can_be_named_and_built_in_things_be_checked(checked, capsys):
    status, printed = checked(RIGHT["shake"][1], "shake", "--kind", "penalty")
    assert (status, printed.err.count("\n")) == (2, 1)
    assert "penalty: 'stranger.py:shake' cannot be called with no options" in printed.err
    assert main(["check", "ring"]) == 0
    assert "ring: a source\n" in capsys.readouterr().out
    assert main(["check", "rinng"]) == 2
    assert "unknown thing to check 'rinng'; did you mean 'ring'?" in capsys.readouterr().err
