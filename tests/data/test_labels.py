"""Names of classes: their order, and what a person may call them."""

import pytest

from jaxgan import InputError
from jaxgan.data.labels import class_index, natural_key, parsed_classes


def test_natural_order():
    names = ["b", "a10", "a9", "10", "9", "a", "a01", "a1", "A", "9" * 5000]
    assert sorted(names, key=natural_key) == ["9", "10", "9" * 5000, "A", "a", "a01", "a1", "a9", "a10", "b"]


@pytest.mark.parametrize(
    ("text", "names", "numbers"),
    [
        ("2", "0 1 2 10", [2]),
        ("10", "0 1 2 10", [3]),
        ("2", "1 2 3 4", [1]),
        ("1-3, 4", "1 2 3 4", [0, 1, 2, 3]),
        ("cat,dog", "cat dog", [0, 1]),
        ("1", "cat dog", [1]),
        ("0-1", "cat dog", [0, 1]),
        ("3-5", "1-2 3-5", [1]),
        ("3-5,1-2", "1-2 3-5", [1, 0]),
    ],
)
def test_classes_by_name_and_number(text, names, numbers):
    assert parsed_classes(text, names.split()) == numbers


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        ("3", "1 2 4", "classes: expected one of 1, 2, 4, got 3"),
        ("10", "0 1 2", "classes: expected integers from 0 to 2, got 10"),
        ("2", "cat dog", "classes: expected integers from 0 to 1, got 2"),
        ("dgo", "cat dog", "unknown class 'dgo'; did you mean 'dog'"),
        ("3-1", "cat dog", "classes: expected names, or numbers"),
        ("", "cat dog", "unknown class ''"),
    ],
)
def test_classes_that_do_not_exist(text, names, message):
    with pytest.raises(InputError, match=message):
        parsed_classes(text, names.split())


def test_a_name_with_commas_is_one_class():
    assert parsed_classes("a, b", ["a, b", "c"]) == [0]
    assert class_index("c", ["a, b", "c"]) == 1
