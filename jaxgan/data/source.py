"""Sources of data: a finite set of examples in arrays, or a distribution that is sampled without end."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, ClassVar

import jax
import numpy as np

from jaxgan.common import keys
from jaxgan.common.errors import InputError
from jaxgan.data.labels import named_labels, without_examples
from jaxgan.data.modality import IMAGE, Modality, check_stored
from jaxgan.data.rows import encoded, fingerprint, range_of
from jaxgan.data.spec import LABEL, Spec

Examples = dict[str, np.ndarray]
"""Examples as they are stored: arrays [n, ...] by name."""


class Source(abc.ABC):
    """What can be trained on.

    Attributes:
      name: as given by the user, with its split.
      modality: of the examples.
      example: name of the array that is modelled.
      class_names: one for each value of the array "label"; empty without classes.
      fingerprint: a hash of all that the examples depend on.
      skipped: broken files that were left out.
      n: number of examples; None if they are sampled without end.
      held_out: more examples of the same kind, which are not among these; None without any.
      complete: all examples, of which these are the share that is trained on; None if these are all.
      notes: what was decided and left out when these data were opened, in words.
    """

    name: str
    modality: Modality
    example: str
    class_names: tuple[str, ...]
    fingerprint: str
    skipped: int
    n: int | None
    held_out: Source | None = None
    complete: Source | None = None
    notes: tuple[str, ...] = ()
    derived: Callable[[jax.Array, Mapping[str, jax.Array]], Mapping[str, jax.Array]] | None = None
    """(keys of a batch, its arrays as the model sees them) -> more arrays of it; None: there are no more."""
    n_modes: int = 0
    """Number of centres that the distribution is known to have."""

    @property
    def opened_with(self) -> dict[str, Any]:
        """Arguments of `open_source` with which another split looks like this one."""
        return {}

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 without labels."""
        return len(self.class_names)

    @cached_property
    def spec(self) -> Spec:
        """The arrays of a batch of these data."""
        stored = self._stored()

        def in_batch(name: str) -> jax.ShapeDtypeStruct:
            x = stored[name]
            if name == LABEL:
                return jax.ShapeDtypeStruct(x.shape, np.int32)
            one = jax.ShapeDtypeStruct((1, *x.shape), jax.dtypes.canonicalize_dtype(x.dtype))
            seen = jax.eval_shape(self.modality.to_model, one)
            return jax.ShapeDtypeStruct(seen.shape[1:], seen.dtype)

        arrays = {name: in_batch(name) for name in stored}
        return Spec(arrays, self.example, self.n_classes, str(stored[self.example].dtype), self.modality)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example as it is stored."""
        return self._stored()[self.example].shape

    @abc.abstractmethod
    def _stored(self) -> Mapping[str, Any]:
        """Shapes and types of one example as it is stored."""

    @abc.abstractmethod
    def some(self, n: int, seed: int, *, ordered: bool = False) -> Examples:
        """n examples at random (at most all), without replacement, the same for a seed.

        Args:
          n: how many.
          seed: of the choice.
          ordered: keep the order that the data have, where they have one.
        """

    @abc.abstractmethod
    def two_sets(self, n: int, seed: int) -> tuple[Examples, Examples]:
        """Two sets of n examples at random that share none; of finite data at most half of them each."""

    def of_each_class(self, n: int, seed: int) -> Examples | None:
        """n random examples of every class, class by class; None without classes.

        A class that has fewer shows them again.
        """
        return None

    def facts(self) -> dict[str, str]:
        """What people want to know of these data beyond their number and shape."""
        return {}


class Finite(Source):
    """Examples in arrays."""

    arrays: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.arrays[self.example])

    @property
    def n(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Number of examples."""
        return len(self)

    def take(self, indices: np.ndarray) -> Examples:
        """The examples with these numbers."""
        return {name: np.asarray(x[indices]) for name, x in self.arrays.items()}

    def some(self, n: int, seed: int, *, ordered: bool = False) -> Examples:
        """As of `Source`."""
        chosen = np.random.default_rng(seed).permutation(len(self))[:n]
        return self.take(np.sort(chosen) if ordered else chosen)

    def two_sets(self, n: int, seed: int) -> tuple[Examples, Examples]:
        """As of `Source`."""
        order, n = np.random.default_rng(seed).permutation(len(self)), min(n, len(self) // 2)
        return self.take(order[:n]), self.take(order[n : 2 * n])

    def of_each_class(self, n: int, seed: int) -> Examples | None:
        """As of `Source`."""
        if LABEL not in self.arrays:
            return None
        order = np.random.default_rng(seed).permutation(len(self))
        labels = self.arrays[LABEL][order]
        rows = [order[labels == c][:n] for c in range(self.n_classes)]
        return self.take(np.concatenate([np.resize(row, n) for row in rows if len(row)]))

    def facts(self) -> dict[str, str]:
        """The range of all values, and the number of examples of each class."""
        values = {"values": range_of(self.arrays[self.example])}
        if LABEL not in self.arrays:
            return values | {"classes": "no labels"}
        counts = np.bincount(self.arrays[LABEL], minlength=self.n_classes)
        named = (f"{name} {count:,}" for name, count in zip(self.class_names, counts, strict=True))
        return values | {"classes": f"{self.n_classes}: {', '.join(named)}"}

    def _stored(self) -> Mapping[str, Any]:
        return {name: jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for name, x in self.arrays.items()}


@dataclass(frozen=True, eq=False)
class Arrays(Finite):
    """A finite set of examples of any modality.

    Attributes:
      name: of the data, for people.
      arrays: name -> examples [n, ...] as they are stored; "label", if it is there, has integers from 0 on, or texts,
        which are numbered anew without gaps.
      modality: of all arrays but "label".
      class_names: one for each label value; by default the numbers.
      example: name of the array that is modelled; "" takes the first that is not "label".
      fingerprint: a hash of the arrays; "" computes it.
      skipped: broken files that were left out.
      held_out: as of `Source`.
      notes: as of `Source`.
      whole: fingerprint of the data that these are a part of; "" if they are no part.
      complete: as of `Source`.

    Raises:
      InputError: if there is no array besides "label", the arrays differ in their number of examples, or images are
        not stored as such.
    """

    name: str
    arrays: Mapping[str, np.ndarray]
    modality: Modality
    _: KW_ONLY
    class_names: tuple[str, ...] = ()
    example: str = ""
    fingerprint: str = ""
    skipped: int = 0
    held_out: Arrays | None = None
    notes: tuple[str, ...] = ()
    whole: str = ""
    complete: Arrays | None = None

    def __post_init__(self) -> None:
        """Checks the arrays, and fills in what was left out."""
        names = [name for name in self.arrays if name != LABEL]
        if not names:
            raise InputError(f"arrays: expected examples in {self.name!r}, got only {list(self.arrays)}")
        lengths = {name: len(x) for name, x in self.arrays.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(f"arrays: expected as many examples in each of {self.name!r}, got {lengths}")
        stored = {name: self.arrays[name] for name in names}
        check_stored("arrays", self.modality, stored, self.example or names[0])
        own: dict[str, Any] = {"arrays": dict(self.arrays), "example": self.example or names[0]}
        if LABEL in self.arrays:
            what, given = f"arrays: labels of {self.name!r}", self.arrays[LABEL]
            found = named_labels(what, given, lengths[LABEL], self.class_names)
            own["arrays"][LABEL], own["class_names"] = found
            own["notes"] = (*self.notes, *without_examples(found[1], self.class_names))
        own["fingerprint"] = self.fingerprint or fingerprint(*own["arrays"].values())
        for name, value in own.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False)
class Images(Finite):
    """A finite set of images.

    Attributes:
      name: as given by the user, with its split.
      images: uint8 or uint16 [n, height, width, channels] with 1 to 4 channels; may be memory-mapped, or stand for an
        array, such as `jaxgan.data.rows.Encoded`.
      labels: int32 [n], or None.
      class_names: one for each label value; empty without labels.
      fingerprint: SHA-256 of pixels and labels (see `fingerprint`).
      skipped: broken files that were left out.
      held_out: as of `Source`.
      notes: as of `Source`.
      whole: fingerprint of the data that these are a part of; "" if they are no part.
      complete: as of `Source`.
      hashes: of each image, as of `jaxgan.data.rows.row_hash`, uint64 [n]; None: computed where they are needed.

    Raises:
      InputError: if the images are of another type or shape.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray | None
    _: KW_ONLY
    class_names: tuple[str, ...]
    fingerprint: str
    skipped: int = 0
    held_out: Images | None = None
    notes: tuple[str, ...] = ()
    whole: str = ""
    complete: Images | None = None
    hashes: np.ndarray | None = None

    modality: ClassVar[Modality] = IMAGE
    example: ClassVar[str] = "image"

    def __post_init__(self) -> None:
        """Checks the images."""
        check_stored("images", self.modality, {"image": self.images}, "image")

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The images and, where there are any, the labels."""
        return {"image": self.images} | ({} if self.labels is None else {LABEL: self.labels})

    @property
    def opened_with(self) -> dict[str, Any]:
        """The size, if it is square, the channels, and that they are streamed where they are."""
        height, width, channels = self.shape
        streams = {"pipeline": "stream"} if encoded(self.images) else {}
        return {"resolution": height if height == width else None, "channels": channels, **streams}


class Endless(Source):
    """Examples drawn from a distribution."""

    n = None
    class_names = ()

    @abc.abstractmethod
    def sample_arrays(self, key: jax.Array, n: int) -> dict[str, jax.Array]:
        """n examples as they are stored; example i depends on the key and i only."""

    def some(self, n: int, seed: int, *, ordered: bool = False) -> Examples:
        """As of `Source`."""
        return _on_host(self.sample_arrays(jax.random.key(seed), n))

    def two_sets(self, n: int, seed: int) -> tuple[Examples, Examples]:
        """As of `Source`."""
        one, other = jax.random.split(jax.random.key(seed), 2)
        return _on_host(self.sample_arrays(one, n)), _on_host(self.sample_arrays(other, n))

    def facts(self) -> dict[str, str]:
        """The range of the values in as many examples as a picture shows."""
        return {"values": range_of(self.some(self.modality.shown, 0)[self.example])}

    def _stored(self) -> Mapping[str, Any]:
        batch = jax.eval_shape(lambda: self.sample_arrays(jax.random.key(0), 1))
        check_stored(
            "draw", self.modality, {name: x for name, x in batch.items() if name != LABEL}, self.example
        )
        return {name: jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for name, x in batch.items()}


def _on_host(arrays: Mapping[str, jax.Array]) -> Examples:
    return {name: np.asarray(x) for name, x in arrays.items()}


@dataclass(frozen=True, eq=False)
class Draws(Endless):
    """A distribution over examples of any modality, sampled without end.

    Attributes:
      name: of the distribution.
      draw: key -> one example as it is stored, arrays by name. It must be pure.
      modality: of all arrays.
      fingerprint: of the distribution and its constants.
      example: name of the array that is modelled.
      class_names: one for each value of the array "label", if there is one.
      skipped: 0.
    """

    name: str
    draw: Callable[[jax.Array], dict[str, jax.Array]]
    modality: Modality
    fingerprint: str
    example: str
    class_names: tuple[str, ...] = ()
    skipped: int = 0

    def sample_arrays(self, key: jax.Array, n: int) -> dict[str, jax.Array]:
        """n examples; example i depends on the key and i only."""
        return jax.vmap(self.draw)(keys.per_example(key, n))


def as_images(source: Source, argument: str) -> Images:
    """A finite source of images as one of type `Images`.

    Raises:
      InputError: which names `argument`, if the source is made of something else or has no end.
    """
    if isinstance(source, Images):
        return source
    if isinstance(source, Arrays) and source.modality.name == IMAGE.name:
        names = ("name", "class_names", "fingerprint", "skipped", "notes", "whole")
        own: dict[str, Any] = {name: getattr(source, name) for name in names}
        for name in ("held_out", "complete"):
            other = getattr(source, name)
            own[name] = None if other is None else as_images(other, argument)
        return Images(images=source.arrays[source.example], labels=source.arrays.get(LABEL), **own)
    end = "" if source.n else " without end"
    raise InputError(
        f"{argument}: expected images, got {source.name!r}, which is made of {source.modality.name}s{end}"
    )


def describe(source: Source) -> dict[str, Any]:
    """What run.json says of the data: enough to open the run without them."""
    return {
        "name": source.name,
        "n": source.n or 0,
        **source.spec.to_json(),
        "class_names": list(source.class_names),
        "fingerprint": source.fingerprint,
        "skipped": source.skipped,
    }
