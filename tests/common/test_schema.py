"""Values of JSON held to types: each misfit is named in one line."""

import os
from typing import Any, Literal, NotRequired, TypedDict

import pytest

from jaxgan import InputError
from jaxgan.common.schema import Count, check, parsed_json, read_text


class Inner(TypedDict):
    n: Count
    pair: NotRequired[tuple[float, float | None]]


class Outer(TypedDict):
    name: str
    inner: Inner | None
    many: NotRequired[dict[str, list[Inner]]]
    way: NotRequired[Literal["up", "down"]]


RIGHT: dict[str, Any] = {
    "name": "a",
    "inner": {"n": 0, "pair": [1, None]},
    "many": {"b": [{"n": 1}]},
    "way": "up",
}


def test_what_fits_passes():
    check(RIGHT, Outer, "x")
    check({"name": "", "inner": None, "other": 3}, Outer, "x")
    check([1, 2.5, float("nan")], list[float], "x")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": 3}, "expected name to be a string, got '3'"),
        ({"inner": 3}, "expected inner to be an object or null, got '3'"),
        ({"inner": {}}, "expected inner.n to be a whole number, got nothing"),
        ({"inner": {"n": -1}}, "expected inner.n to be at least 0, got '-1'"),
        ({"inner": {"n": True}}, "expected inner.n to be a whole number, got 'True'"),
        ({"inner": {"n": 2**63}}, "expected inner.n to be a whole number, got '9223372036854775808'"),
        ({"inner": {"n": 1, "pair": [1]}}, r"expected inner.pair to be a list of 2, got '\[1\]'"),
        ({"inner": {"n": 1, "pair": [1, "x"]}}, r"expected inner.pair\[1\] to be a number or null, got 'x'"),
        ({"many": {"b": [{"n": 1}, 3]}}, r"expected many.b\[1\] to be an object, got '3'"),
        ({"many": {"b\n": 3}}, r"expected many.b\\n to be a list, got '3'"),
        ({"way": "left"}, "expected way to be one of 'up', 'down', got 'left'"),
        ({"way": []}, "expected way to be one of 'up', 'down', got"),
    ],
)
def test_what_does_not_fit_is_named(change, says):
    with pytest.raises(InputError, match=rf"^run: 'f' is damaged: {says}") as caught:
        check(RIGHT | change, Outer, "run: 'f' is damaged")
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "text").write_bytes(b"\xff\xfe")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"0" * 100)
    for name, says in (
        ("text", "can't decode"),
        ("pipe", "no regular file"),
        ("large", "expected at most 9 bytes"),
    ):
        with pytest.raises(InputError, match=rf"^run: cannot read '.*{name}': .*{says}"):
            read_text("run", tmp_path / name, largest=9)
    with pytest.raises(ValueError, match="too deep"):
        parsed_json("[" * 100_000)
