"""Files with content that nobody meant: named in one line, or left out loudly, and never a page of text."""

import pytest
from helpers import small, untrained

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.cli.words.settings import read_settings
from jaxgan.study import Store
from jaxgan.study.spec import Cell

DEEP = {
    "list.json": '{"x": ' + "[" * 3000 + "]" * 3000 + "}",
    "far.json": '{"x": ' + "[" * 200_000 + "]" * 200_000 + "}",
    "object.json": '{"x": ' * 900 + "1" + "}" * 900,
    "list.yaml": "x: " + "[" * 3000 + "]" * 3000,
    "itself.yaml": "x: &a [*a]",
    "laughs.yaml": "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
    + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "list.toml": "x = " + "[" * 3000 + "]" * 3000,
}


@pytest.mark.parametrize("name", DEEP)
def test_settings_that_lie_deep_are_one_line(tmp_path, name, capsys):
    path = tmp_path / name
    path.write_text(DEEP[name])
    with pytest.raises(InputError, match=rf"^config: '{path}'") as caught:
        read_settings(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("odd")
    return untrained(small(tmp_path), records=[{"step": 10, "score": 1.0}, {"step": 20}, {"step": 30}])


def test_a_line_that_is_no_text_is_left_out_loudly(folder, capsys):
    lines = folder.metrics.read_bytes().split(b"\n")
    folder.metrics.write_bytes(b"\n".join([lines[0], b'{"step": 20, "x\xff": 1}', *lines[2:]]))
    with pytest.warns(UserWarning, match=r"^run: '.*metrics.jsonl', line 2, is no text, and is left out$"):
        assert [record["step"] for record in folder.records()] == [10, 30]
    capsys.readouterr()
    assert main(["runs", str(folder.path)]) == 0
    said = capsys.readouterr()
    assert "40/40" in said.out
    assert said.err == f"warning: run: '{folder.metrics}', line 2, is no text, and is left out\n"
    with pytest.warns(UserWarning, match="line 2"):
        folder.rewind(30)
    assert [record["step"] for record in folder.records()] == [10, 30]  # and that is all that is in it


def test_odd_numbers_and_names_take_little_room_in_the_table(folder, capsys):
    data = folder.read("run.json")["data"]
    folder.update(train_seconds=-1e300, data={**data, "name": "a" * 5000 + "\n"})
    score = {"value": 1e300, "floor": None, "n_fake": 9, "n_real": 9, "features": "none"}
    final = {"step": 40, "scores": {"fd": score}}
    folder.write("scores.json", {"main": "fd", "class_names": [], "final": final})
    assert main(["runs", str(folder.path)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) < 300
    assert out.split()[-1] == "–"
    assert "fd 1e+300" in out


def test_a_damaged_result_of_a_study_is_told_of(tmp_path):
    cell = Cell("toy-ring", "hinge", "none", "plain", (0,))
    (tmp_path / f"{cell.slug}-{cell.key}.json").write_text('{"format": 1, "key"')
    with pytest.warns(UserWarning, match="out: .* is left out, as it is damaged"):
        assert Store(tmp_path).load(cell, cell.key) is None
