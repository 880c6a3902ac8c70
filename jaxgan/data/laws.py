"""What every source of data must obey, as functions that try to refute it.

A law takes a function without arguments that opens the source, so that it can be opened twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checking.laws import Broken, Skipped, Verdict, hold_finite, verdicts
from jaxgan.data.modality import IMAGE
from jaxgan.data.source import Examples, Finite, Source, describe
from jaxgan.data.spec import LABEL, Spec

Opener = Callable[[], Source]
_N = 8
_CHUNK = 4096  # examples that are looked at together, for little memory


def form_law(opened: Opener) -> str:
    """There are examples, of the name that the source says; labels are numbers of its classes."""
    source = opened()
    if source.n is not None and source.n < 2:
        raise Broken(f"expected at least 2 examples, got {source.n}")
    if not source.fingerprint:
        raise Broken("fingerprint: expected a hash of all that the examples depend on, got nothing")
    examples = source.some(_N, 0)
    if source.example not in examples or source.example == LABEL:
        raise Broken(
            f"example: expected one of {', '.join(examples)} besides {LABEL!r}, got {source.example!r}"
        )
    if (LABEL in examples) != bool(source.n_classes):
        raise Broken(
            f"class_names: expected one for each label, got {source.n_classes} with arrays {', '.join(examples)}"
        )
    if LABEL in examples:
        labels = np.unique(_at_hand(source).get(LABEL, examples[LABEL]))
        whole = np.issubdtype(labels.dtype, np.integer)
        if not whole or not 0 <= labels.min() <= labels.max() < source.n_classes:
            got = ", ".join(map(str, [*labels[:3], *(["..."] if len(labels) > 6 else []), *labels[3:][-3:]]))
            raise Broken(f"label: expected integers from 0 to {source.n_classes - 1}, got {got}")
    return f"{source.n or 'endless'} examples, of {source.n_classes or 'no'} classes"


def spec_law(opened: Opener) -> str:
    """Examples have the shapes and types that the spec says, as they are stored and as the model sees them."""
    source = opened()
    spec, examples = source.spec, source.some(_N, 0)
    if set(examples) != set(spec.arrays):
        raise Broken(f"expected arrays {sorted(spec.arrays)}, as in the spec, got {sorted(examples)}")
    stored = examples[source.example]
    if (stored.shape[1:], str(stored.dtype)) != (source.shape, spec.stored):
        raise Broken(
            f"expected examples {list(source.shape)} of {spec.stored}, as the source says, got "
            f"{list(stored.shape[1:])} of {stored.dtype}"
        )
    for name, x in _seen(source, examples).items():
        said = spec.arrays[name]
        if (x.shape[1:], x.dtype) != (said.shape, said.dtype):
            raise Broken(f"{name}: expected {said.dtype}{list(said.shape)}, got {x.dtype}{list(x.shape[1:])}")
    back = spec.from_model(_seen(source, examples)[source.example])
    if (back.shape, back.dtype) != (stored.shape, stored.dtype):
        raise Broken(
            f"modality: expected from_model to give {stored.dtype}{list(stored.shape)} back, got "
            f"{back.dtype}{list(back.shape)}"
        )
    again = Spec.from_json(json.loads(json.dumps(describe(source))))
    if (again.arrays, again.example, again.n_classes) != (spec.arrays, spec.example, spec.n_classes):
        raise Broken("its description in run.json does not give the spec back")
    return f"as the spec says: {', '.join(f'{name} {x.dtype}{list(x.shape)}' for name, x in spec.arrays.items())}"


def _seen(source: Source, examples: Examples) -> dict[str, jax.Array]:
    return {
        name: jnp.asarray(x, jnp.int32) if name == LABEL else source.modality.to_model(jnp.asarray(x))
        for name, x in examples.items()
    }


def types_law(opened: Opener) -> str:
    """A step takes float32 examples and int32 labels."""
    for name, x in opened().spec.arrays.items():
        expected = jnp.int32 if name == LABEL else jnp.float32
        if x.dtype != expected:
            raise Broken(f"{name}: expected {jnp.dtype(expected)} for the model, got {x.dtype}")
    return "float32 examples and int32 labels"


def _at_hand(source: Source) -> dict[str, np.ndarray]:
    """All arrays of a finite source that lie in memory."""
    arrays = source.arrays if isinstance(source, Finite) else {}
    plain = lambda x: isinstance(x, np.ndarray | jax.Array) and not isinstance(x, np.memmap)
    return {name: np.asarray(x) for name, x in arrays.items() if plain(x)}


def finite_law(opened: Opener) -> str:
    """All numbers are finite (of arrays in memory each is looked at), and pixels lie in [-1, 1] for the model."""
    source = opened()
    for name, x in _at_hand(source).items():
        for begin in range(0, len(x), _CHUNK) if np.issubdtype(x.dtype, np.inexact) else ():
            rows = ~np.isfinite(x[begin : begin + _CHUNK]).reshape(len(x[begin : begin + _CHUNK]), -1).all(1)
            if rows.any():
                raise Broken(
                    f"examples[{name!r}] is not finite, in row {begin + int(rows.argmax())} of {len(x)}"
                )
    seen = _seen(source, source.some(256, 1))
    hold_finite(seen, "examples")
    if source.modality.name == IMAGE.name and float(jnp.abs(seen[source.example]).max()) > 1:
        raise Broken("expected images in [-1, 1] for the model")
    return "finite numbers"


def determinism_law(opened: Opener) -> str:
    """The same seed gives the same examples, also of a source that is opened again; another seed gives others (but for
    a finite source of examples that are all alike).
    """
    source, again = opened(), opened()
    if source.fingerprint != again.fingerprint:
        raise Broken("another fingerprint when it is opened again: a run could not be resumed")
    first = source.some(_N, 0)
    for other, when in ((source, "the second time"), (again, "when it is opened again")):
        if not _equal(first, other.some(_N, 0)):
            raise Broken(f"other examples for the same seed {when}")
    other = source.some(_N, 1)
    if source.n is None and np.array_equal(first[source.example], other[source.example]):
        raise Broken("the same examples for another seed: what is drawn does not hang on the key")
    constant = source.n is not None and all((x == x[:1]).all() for x in first.values())
    if not constant and (source.n is None or source.n > 2 * _N) and _equal(first, other):
        raise Broken("the same examples for another seed")
    if not _equal(_first(source.two_sets(_N, 0)), _first(again.two_sets(_N, 0))):
        raise Broken("other sets of examples for the same seed when it is opened again")
    note = "; these are all alike" if constant else ""
    return f"the same examples for the same seed, also when it is opened again{note}"


def _first(sets: tuple[Examples, Examples]) -> Examples:
    return {f"{name}/{i}": x for i, examples in enumerate(sets) for name, x in examples.items()}


def _equal(a: Examples, b: Examples) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def prefix_law(opened: Opener) -> str:
    """Of an endless source: example i depends on the key and i only, not on how many are drawn."""
    source = opened()
    if source.n is not None:
        raise Skipped("the source is finite")
    few, many = source.some(_N // 2, 0), source.some(_N, 0)
    if not _equal(few, {name: x[: _N // 2] for name, x in many.items()}):
        raise Broken("example i changes with the number of examples that are drawn")
    return "example i does not depend on how many are drawn"


LAWS: dict[str, Callable[[Opener], str]] = {
    "form": form_law,
    "spec": spec_law,
    "types": types_law,
    "finite": finite_law,
    "determinism": determinism_law,
    "prefix": prefix_law,
}


def check(opened: Opener) -> list[Verdict]:
    """Tries every law; once the form is wrong, the others are skipped."""
    return verdicts(LAWS, opened)
