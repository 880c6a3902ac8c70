"""Classes: what labels of any form are called, and their numbers from 0 on without gaps."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.common.errors import InputError, unknown

MOST_CLASSES = 2**16


def natural_key(text: str) -> tuple[Any, ...]:
    """Sorts as people do: numbers inside a text by their value, so that "class10" comes after "class2"."""
    parts = [part for part in re.split(r"([0-9]+)", text) if part]
    return (*(_part_key(part) for part in parts), (-1, 0, ""), (0, 0, text))


def _part_key(part: str) -> tuple[int, int, str]:
    if not re.fullmatch("[0-9]+", part):
        return 1, 0, part
    digits = part.lstrip("0")
    return 0, len(digits), digits


def numbered(classes: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers the classes of examples, which are given by name: int32 [n], and a name for each number."""
    names = sorted(set(classes), key=natural_key)
    index = {name: i for i, name in enumerate(names)}
    return np.asarray([index[name] for name in classes], np.int32), tuple(names)


def compacted(labels: np.ndarray, class_names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels without those classes that no example has: int32 [n], and the names that are left."""
    labels = np.asarray(labels, np.int32)
    present = np.unique(labels)
    names = tuple(class_names[int(number)] for number in present)
    return np.searchsorted(present, labels).astype(np.int32), names


def parsed_labels(what: str, labels: Any, n: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels of any usual form as int32 [n], numbered without gaps, and what each number was called.

    They may be whole numbers (also as floats), truth values or texts, [n] or [n, 1], or rows of one 1 among zeros,
    [n, classes].

    Args:
      what: whose labels they are, for messages.
      labels: an array.
      n: number of examples.

    Raises:
      InputError: for anything else.
    """
    labels = np.asarray(labels)
    given = f"{labels.dtype} of shape {labels.shape}"
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and _one_hot(labels):
        labels = labels.argmax(1)
    if labels.dtype == bool:
        labels = labels.astype(np.uint8)
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = labels.astype(np.int64)
        labels = whole if (whole == labels).all() else labels
    texts = labels.dtype.kind in "US"
    if labels.shape != (n,) or not (texts or np.issubdtype(labels.dtype, np.integer)):
        raise InputError(f"{what}: expected {n} integers, got {given} (names will do, and so will [n, 1])")
    if texts:
        return numbered(
            [x.decode("utf-8", "backslashreplace") if isinstance(x, bytes) else str(x) for x in labels]
        )
    if not 0 <= labels.min() <= labels.max() < MOST_CLASSES:
        raise InputError(
            f"{what}: expected integers from 0 to {MOST_CLASSES - 1}, got {labels.min()} to {labels.max()}"
        )
    values, found = np.unique(labels, return_inverse=True)
    return found.reshape(n).astype(np.int32), tuple(str(int(value)) for value in values)


def named_labels(
    what: str, labels: Any, n: int, class_names: Sequence[str] = ()
) -> tuple[np.ndarray, tuple[str, ...]]:
    """As `parsed_labels`, where `class_names` says what they are called.

    Raises:
      InputError: as `parsed_labels`, or if a number has no name.
    """
    labels = np.asarray(labels)
    found, values = parsed_labels(what, labels, n)
    if not class_names or labels.dtype.kind in "US":
        return found, values
    numbers = [int(value) for value in values]
    if max(numbers) >= len(class_names):
        raise InputError(
            f"class_names: expected one for each of {max(numbers) + 1} classes ({what}), got {len(class_names)}"
        )
    return found, tuple(class_names[number] for number in numbers)


def without_examples(present: Collection[str], class_names: Sequence[str]) -> tuple[str, ...]:
    """A note on the classes that are not present among the examples; none where all are."""
    empty = [name for name in class_names if name not in present]
    named = ", ".join(map(repr, empty[:3]))
    more = f" and {len(empty) - 3:,} more" if len(empty) > 3 else ""
    return (f"classes without examples: {named}{more}",) if empty else ()


def _one_hot(rows: np.ndarray) -> bool:
    if rows.dtype.kind not in "biuf":
        return False
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all())


def class_index(text: str, class_names: Sequence[str]) -> int:
    """The number of the class that a text means: its name, or, where names are no numbers, the number itself.

    Raises:
      InputError: if there is no such class.
    """
    index: Mapping[str, int] = {name: i for i, name in enumerate(class_names)}
    if text in index:
        return index[text]
    named_by_numbers = all(re.fullmatch("[0-9]+", name) for name in class_names)
    if not re.fullmatch("[0-9]+", text):
        raise unknown("class", text, class_names, list_all=len(class_names) <= 100)
    if named_by_numbers or int(text) >= len(class_names):
        expected = f"integers from 0 to {len(class_names) - 1}"
        if named_by_numbers and list(class_names) != [str(i) for i in range(len(class_names))]:
            expected = f"one of {', '.join(class_names[:100])}"
        raise InputError(f"classes: expected {expected}, got {text}")
    return int(text)


def parsed_classes(text: str, class_names: Sequence[str]) -> list[int]:
    """The numbers of classes in a list such as "cat,dog", "0-3,7" or "2": see `class_index`.

    Raises:
      InputError: for a class that does not exist.
    """
    if text in class_names:  # whatever is in it
        return [class_index(text, class_names)]
    found: list[int] = []
    for part in (part.strip() for part in text.split(",")):
        match = re.fullmatch(r"([0-9]+)\s*-\s*([0-9]+)", part)
        if part in class_names or match is None:
            found.append(class_index(part, class_names))
            continue
        first, last = int(match[1]), int(match[2])
        if last < first or last - first > MOST_CLASSES:
            raise InputError(f"classes: expected names, or numbers such as 0-9 or 3,7, got {text!r}")
        found += [class_index(str(number), class_names) for number in range(first, last + 1)]
    return found
