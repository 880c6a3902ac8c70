"""What the names of image files say: which split an image belongs to, and which class."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxgan.common.errors import InputError
from jaxgan.common.files import printable
from jaxgan.common.progress import counted
from jaxgan.data.files.listing import Listing, named
from jaxgan.data.labels import natural_key

_PLAIN = r"[-_ ]?(?:set|data|images?|imgs?)"
_SPLIT = re.compile(
    r"(?P<before>.*[-_. ]|[0-9]+)?"
    r"(?P<kind>train|training|val|valid|validation|dev|test|testing|eval|hold[-_ ]?out|held[-_ ]?out)"
    rf"(?P<after>{_PLAIN}|[0-9]+|(?-i:[A-Z])|[-_. ].*)?",
    re.I,
)
_KINDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
}


@dataclass(frozen=True)
class Part:
    """The images of one split.

    Attributes:
      names: in the listing, sorted.
      classes: the class of each image; None without classes.
      notes: what was decided and left out, in words.
    """

    names: Sequence[str]
    classes: Sequence[str] | None
    notes: tuple[str, ...] = ()


def parts_of(files: Listing, split: str) -> tuple[Part, Part | None]:
    """The images of a split, and those of the one that is held out of it, if there is one.

    Where folders called train and test (or validation) hold the images, at the top or inside of each class, they are
    splits, also with one affix for all, such as seg_train and seg_test. Of trainA, trainB, testA and testB, A and B
    are classes. Anything else has only the split "train". A split is asked for by "train", "test" or "val", by another
    word for it, such as "dev", or by the name of the folder that alone holds it.

    Raises:
      InputError: for a split that is not there, or labels that do not fit the images.
    """
    splits, rest = _splits(files.names)
    if not splits:
        if split != "train":
            source = printable(f"folder:{files.path}")
            raise InputError(f"data.split: source {source!r} has no split but 'train', got {split!r}")
        return _part(files, {name: name for name in files.names}), None
    asked = split
    if (split := _asked(asked, splits)) not in splits:
        raise InputError(f"data.split: expected one of {', '.join(splits)}, got {asked!r}")
    others = [name for name in ("test", "val", "train") if name in splits and name != split]
    held_out = "train" if split == "test" and "train" in splits else others[0]
    notes = [
        f"splits: {split} ({counted(len(splits[split]), 'image')}), and {held_out} ({len(splits[held_out]):,}) held out"
    ]
    unused = [name for name in others if name != held_out]
    if unused:
        notes.append(f"not used: split {unused[0]} ({counted(len(splits[unused[0]]), 'image')})")
    if rest:
        notes.append(f"left out, in no split: {counted(len(rest), 'image')} ({named(rest)})")
    own, other = _part(files, splits[split]), _part(files, splits[held_out])
    return Part(own.names, own.classes, (*notes, *own.notes)), other


def _splits(names: Sequence[str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Split -> (name without it -> name), and the names that belong to none; empty where there are no splits."""
    inside, above = _without_tops(names)
    for level in (0, 1):
        called = [
            _called(parts[level]) if len(parts := name.split("/")) > level + 1 else None for name in inside
        ]
        sets = _sets({own for own in called if own is not None})
        affixes = {*sets.values()}
        found: dict[str, dict[str, str]] = {}
        rest = []
        for name, own in zip(inside, called, strict=True):
            if own is None or own[1] not in sets:
                rest.append(above + name)
                continue
            parts, (kind, affix) = name.split("/"), own
            short = "/".join(
                [*([sets[affix]] if len(affixes) > 1 else []), *parts[:level], *parts[level + 1 :]]
            )
            if short in found.setdefault(kind, {}):  # as of val/ and validation/
                short = f"{short}/{name}"
            found[kind][short] = above + name
        plain = {_unnumbered(affix) for affix in sets} == {""}
        fits = not rest or (level == 0 and "train" in found and (plain or len(rest) < len(inside) / 2))
        if len(found) > 1 and fits:
            return {kind: found[kind] for kind in ("train", "test", "val") if kind in found}, rest
    return {}, []


def _called(folder: str) -> tuple[str, str] | None:
    """The split that the name of a folder tells of, and what else is in the name; None without a split."""
    if (match := _SPLIT.fullmatch(folder)) is None:
        return None
    before, after = match["before"] or "", match["after"] or ""
    after = "" if re.fullmatch(_PLAIN, after, re.I) else after
    return _KINDS.get(match["kind"].lower(), "test"), (before + after).strip("-_. ")


def _asked(split: str, splits: Mapping[str, Mapping[str, str]]) -> str:
    """The split that is asked for, by a word for it or by the name of the folder that alone holds it."""
    if split in splits or (called := _called(split)) is None:
        return split
    kind, affix = called
    held = splits.get(kind, {}).values()
    return kind if not affix or all(split in name.split("/")[:-1] for name in held) else split


def _unnumbered(affix: str) -> str:
    return re.sub("[0-9]+", "", affix).strip("-_. ")


def _sets(called: Collection[tuple[str, str]]) -> dict[str, str]:
    """The affixes of folders that are splits of one another -> what is one for all splits of a set.

    Numbers may number the splits through, as of 1.train and 2.test. Where one split comes with several numbers, as of
    fold1_train and fold2_train, or of train_32 and train_64, the folders may share images, and are no splits.
    """
    alike: dict[str, dict[str, set[str]]] = {}
    for kind, affix in called:
        alike.setdefault(_unnumbered(affix), {}).setdefault(kind, set()).add(affix)
    bare = {kind for kind, affix in called if not affix}
    if len(bare) > 1:
        return {"": ""}
    whole: dict[str, dict[str, str]] = {}
    for unnumbered, kinds in alike.items():
        if len(kinds) > 1 and all(len(affixes) == 1 for affixes in kinds.values()):
            own = set().union(*kinds.values())
            whole[unnumbered] = {affix: affix if len(own) == 1 else unnumbered for affix in own}
    if "" in whole:
        return whole[""]
    return {affix: name for own in whole.values() for affix, name in own.items()}


def _without_tops(names: Sequence[str]) -> tuple[list[str], str]:
    """Names without the folders that hold all of them in further folders, and what was taken off."""
    above = ""
    inside = list(names)
    while inside and all(name.count("/") > 1 for name in inside):
        tops = {name.split("/", 1)[0] for name in inside}
        if len(tops) > 1:
            break
        top = tops.pop() + "/"
        above += top
        inside = [name.removeprefix(top) for name in inside]
    return inside, above


def _part(files: Listing, names: Mapping[str, str]) -> Part:
    """The classes of images: of dataset.json, or else of their folders; `names` are short name -> name."""
    listed, note = _of_json(files, list(names.values()))
    notes = [] if note is None else [note]
    if listed is not None:
        return Part(*listed, tuple(notes))
    shorts, above = _without_tops(sorted(names))
    full = {short: names[above + short] for short in shorts}
    if _is_sharded(shorts):
        notes.append("no classes, as images numbered through lie in folders by thousands")
        return Part([full[short] for short in shorts], None, tuple(notes))
    loose = [short for short in shorts if "/" not in short]
    inside = [short for short in shorts if "/" in short]
    tops = sorted({short.split("/", 1)[0] for short in inside}, key=natural_key)
    if inside and len(loose) >= len(inside):
        notes.append(f"no classes, as {counted(len(loose), 'image')} beside the folders {named(tops)}")
        return Part([full[short] for short in shorts], None, tuple(notes))
    if len(tops) < 2:  # one folder is no class, and the images beside it belong to them
        if tops:
            notes.extend(_without_images(files, names, above, tops))
        return Part([full[short] for short in shorts], None, tuple(notes))
    if loose:
        notes.append(
            f"left out, beside the folders of the classes: {counted(len(loose), 'image')} ({named(loose)})"
        )
    notes.extend(_without_images(files, names, above, tops))
    odd = {top: kinds for top in tops if (kinds := _told_of(top))}
    if len(odd) > 1 and len(set().union(*odd.values())) > 1:  # a class may well be called train
        notes.append(f"classes, and no splits, although their names tell of such: {named([*odd])}")
    return Part(
        [full[short] for short in inside],
        [printable(short.split("/", 1)[0]) for short in inside],
        tuple(notes),
    )


def _without_images(files: Listing, names: Mapping[str, str], above: str, tops: Sequence[str]) -> list[str]:
    """A note on folders beside those of the classes that hold no image."""
    if any(
        short != name for short, name in names.items()
    ):  # splits: their folders are not those of the classes
        return []
    beside = {name.removeprefix(above) for name in files.folders if name.startswith(above)}
    empty = sorted({name for name in beside if "/" not in name} - set(tops), key=natural_key)
    return [f"no class, as without images: {named(empty)}"] if empty else []


_WORDS = {**_KINDS, **dict.fromkeys(("test", "testing", "eval", "holdout", "heldout"), "test")}


def _told_of(name: str) -> set[str]:
    """The splits that the words of the name of a folder tell of, with a capital letter behind or not, as "trainA"."""
    words = {re.sub("(?<=[a-z])[A-Z]$", "", word).lower() for word in re.split("[-_. 0-9]+", name)}
    called = _called(name)
    return {_WORDS[word] for word in words & {*_WORDS}} | ({called[0]} if called else set())


def class_folders(names: Sequence[str]) -> list[str] | None:
    """The class of each image of one list of names: its first-level folder.

    None where images lie beside folders, or in one folder alone, or each in a folder of its own, or in folders that are
    splits or number images through by thousands.
    """
    inside, _ = _without_tops(names)
    if _splits(names)[0] or _is_sharded(inside) or not all("/" in name for name in inside):
        return None
    found = [printable(name.split("/", 1)[0]) for name in inside]
    return found if 1 < len({*found}) < len(found) else None


def _is_sharded(names: Sequence[str]) -> bool:
    """Whether images numbered through are spread over folders by thousands, as StyleGAN's tools and FFHQ do."""

    def in_place(name: str) -> bool:
        if match := re.fullmatch(r"([0-9]{5})/img([0-9]{8})\.\w+", name):
            return match[2].startswith(match[1])
        if match := re.fullmatch(r"([0-9]{5})/([0-9]{5})\.\w+", name):
            return int(match[1]) == int(match[2]) // 1000 * 1000
        return False

    return all(map(in_place, names))


# --- dataset.json of StyleGAN -------------------------------------------------------------------------


def _of_json(
    files: Listing, names: Sequence[str]
) -> tuple[tuple[list[str], list[str] | None] | None, str | None]:
    """Names and classes by the dataset.json above all of these images, and a note; None where there is none."""
    files_in = {name[: -len("dataset.json")]: name for name in files.others if _is_json(name)}
    folders = sorted(files_in)
    above = [folder for folder in folders if all(name.startswith(folder) for name in names)]
    if not above:
        lost = (
            f"{named([files_in[folder] for folder in folders])} is not read: images lie outside of its folder"
        )
        return None, lost if folders else None
    where = files_in[max(above, key=len)]
    try:
        content = files.read(where)
    except Exception as error:  # damaged archives surface as many types
        raise InputError(f"data.source: cannot read {printable(where)!r} ({error})") from error
    labels = _labels(where, content)
    if labels is None:
        return None, f"{printable(where)!r} is not read: it has no 'labels' as those of StyleGAN's datasets"
    ordered = sorted(names)
    if not labels:
        return (ordered, None), None
    top = len(max(above, key=len))
    missing = [name for name in ordered if name[top:] not in labels]
    if missing:
        raise InputError(
            f"data.source: expected a label of every image in {printable(where)!r}, found none of {named(missing)}"
        )
    return (ordered, [labels[name[top:]] for name in ordered]), None


def _is_json(name: str) -> bool:
    return name.rpartition("/")[2].lower() == "dataset.json"


def _labels(where: str, content: bytes) -> dict[str, str] | None:
    """Image -> class; empty for images without classes; None if this is another kind of file.

    Raises:
      InputError: for labels that are no classes.
    """
    found = parsed_json(where, content)
    if not isinstance(found, dict) or "labels" not in found:
        return None
    pairs = found["labels"] or []
    if isinstance(pairs, dict):
        pairs = list(pairs.items())
    expected = (
        f"data.source: expected 'labels' of {printable(where)!r} to be null or pairs of a file and its class"
    )
    if not isinstance(pairs, list):
        raise InputError(f"{expected}, got {type(pairs).__name__}")
    labels = {}
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise InputError(f"{expected}, got {str(pair)[:80]!r}")
        name = "/".join(part for part in pair[0].replace("\\", "/").split("/") if part not in ("", "."))
        labels[name] = pair[1]
    if all(label is None for label in labels.values()):
        return {}
    return {name: class_of(expected, label) for name, label in labels.items()}


def parsed_json(where: str, content: bytes) -> Any:
    """What a JSON file holds. Raises InputError, which names it as `where`, if it cannot be read."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"data.source: cannot read {printable(where)!r} ({error})") from error


def class_of(expected: str, label: Any) -> str:
    """The class that a label of JSON names: a number, a text, or a row of one 1 among zeros.

    Raises:
      InputError: for anything else; it begins with `expected`.
    """
    if isinstance(label, list) and sorted(label) == [0] * (len(label) - 1) + [1]:
        label = label.index(1)
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if isinstance(label, str) or (isinstance(label, int) and label >= 0):
        return str(int(label)) if isinstance(label, bool) else str(label)
    raise InputError(f"{expected}, got the label {str(label)[:80]}")
