"""Tables on a terminal: what is in them is seen whole."""

from jaxgan.report.terminal import print_table


def test_no_cell_is_cut_off(capsys):
    cells = "a" * 70, "b" * 60, "40/20,000"
    print_table(("name", "data", "step"), [cells], numbers=(2,))
    _, row = capsys.readouterr().out.splitlines()
    assert row.split() == list(cells)


def test_meanings_are_wrapped(capsys):
    print_table(("name", "meaning"), [("a" * 60, "word " * 60)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 4
    assert max(map(len, lines)) <= 120
