"""Words in pictures."""

import numpy as np

from jaxgan.apps.sheets import sheet
from jaxgan.report import pictures


def test_letters_beyond_ascii_are_drawn_as_themselves():
    letters, size = "äöüÄÖÜßéèñçøåłčαЖ", 16
    drawn = {letter: bytes(pictures.font(size).getmask(letter)) for letter in [*letters, "\uffff"]}
    assert len(set(drawn.values())) == len(drawn)


def test_a_sheet_names_its_rows_in_them():
    row = np.zeros((1, 8, 8, 1), np.uint8)
    first, second = (sheet([row], [name]) for name in ("Größe", "Gräße"))
    assert first.shape == second.shape
    assert (first != second).any()


def test_captions_and_names_of_rows_have_them_too():
    dark = np.zeros((8, 200, 1), np.uint8)
    assert (pictures.captioned(dark, "Möwe") != pictures.captioned(dark, "Müwe")).any()
    png = pictures.png(np.zeros((8, 8, 1), np.uint8))
    named = [pictures.pixels_of(pictures.with_row_names(png, [name])) for name in ("ö", "ä")]
    assert named[0].shape != named[1].shape or (named[0] != named[1]).any()
