"""`jaxgan check` on files of a stranger: what is right passes, and what is wrong is named."""

import pytest
from borderline import LINES, NOTED
from strangers import HEAD, RIGHT, WRONG

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


@pytest.mark.parametrize("what", NOTED)
def test_what_may_be_meant_is_not_broken_but_said(checked, what):
    name, text, law, says = NOTED[what]
    status, printed = checked(text, name)
    assert status == 0, printed.out
    assert says in next(line for line in printed.out.splitlines() if line.split()[1:2] == [law])


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


def test_a_file_without_a_name_lists_what_can_be_checked(checked, tmp_path, capsys):
    text = RIGHT["Tiny"][1] + "".join(text.removeprefix(HEAD) for _, text in RIGHT.values())
    (tmp_path / "mine.py").write_text(
        text + "\n_hidden = loss\nnumber = 3\n\ndef helper(a, b, c):\n    pass\n"
    )
    assert main(["check", "mine.py"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: check: expected FILE.py:NAME, got 'mine.py'; in it: ")
    listed = error.split("in it: ")[1].strip().split(", ")
    assert sorted(listed) == sorted(f"mine.py:{name} ({kind})" for name, (kind, _) in RIGHT.items())
    assert main(["check", "mine.py:tiny"]) == 2
    error = capsys.readouterr().err
    assert "unknown thing to check in 'mine.py' 'tiny'; did you mean 'Tiny'? known: " in error
    assert not {"_hidden", "Net", "np", "number", "helper"} & set(
        error.split("known: ")[1].strip().split(", ")
    )


def test_files_without_anything_to_check(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_text("x = 1\n")
    assert main(["check", "bad.py"]) == 2
    assert "got 'bad.py'; in it: nothing to check" in capsys.readouterr().err
    assert main(["check", "none.py"]) == 2
    assert "expected a Python file, got no file 'none.py'" in capsys.readouterr().err
