"""Laws: functions that try to refute what something must obey, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


class Broken(Exception):
    """The law is broken; the message says how, in one line."""


class Skipped(Exception):
    """The law does not apply; the message says why, in one line."""


@dataclass(frozen=True)
class Verdict:
    """What became of one law.

    Attributes:
      law: its name.
      outcome: "holds", "broken" or "skipped".
      detail: one line.
    """

    law: str
    outcome: str
    detail: str


def verdicts(
    laws: Mapping[str, Callable[[Any], str]], subject: Any, exempt: Collection[str] = ()
) -> list[Verdict]:
    """Tries every law on `subject`, in order.

    The first law is that of form: once it is broken, the others are skipped.

    Args:
      laws: name -> law. A law returns a line that says what was checked, raises `Broken` with a line
        that says how it is broken, or raises `Skipped` where it does not apply. Any other exception comes
        from the subject, and breaks the law.
      subject: what must obey.
      exempt: names of the laws that the subject says it does not obey.
    """
    found: list[Verdict] = []
    for name, law in laws.items():
        try:
            if name in exempt:
                raise Skipped("an exemption is declared")
            if found and found[0].outcome == "broken":
                raise Skipped(f"the law {found[0].law!r} is broken already")
            found.append(Verdict(name, "holds", law(subject)))
        except Broken as broken:
            found.append(Verdict(name, "broken", str(broken)))
        except Skipped as skipped:
            found.append(Verdict(name, "skipped", str(skipped)))
        except Exception as error:  # whatever a user's function raises is the finding
            found.append(Verdict(name, "broken", f"raises {type(error).__name__}: {first_line(error)}"))
    return found


def first_line(error: Exception) -> str:
    """The first line of an exception's message, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def hold_gradient(function: Callable[[Any], jax.Array], at: Any, of: str, within: str) -> float:
    """Holds the gradient of a function against finite differences, along random directions.

    In float64 (under `jax.enable_x64`) they must agree to 1e-5 of their size; where the function computes in
    float32 all the same, to 5 %.

    Args:
      function: of a tree of arrays, to a scalar. It is compiled.
      at: where.
      of: what the function is, for messages.
      within: what the tree is, for messages.

    Returns:
      The largest difference, relative to the size of the slopes.

    Raises:
      Broken: if they differ, or if the function does not change at all.
    """
    compiled = jax.jit(jax.value_and_grad(function))
    at = jax.tree.map(np.asarray, at)
    value, gradient = compiled(at)
    step, tolerance = (1e-5, 1e-5) if value.dtype == jnp.float64 else (1e-2, 0.05)
    rng, got, expected = np.random.default_rng(0), [], []
    for _ in range(4):
        way = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(x.dtype), at)
        ends = [compiled(jax.tree.map(lambda x, d, h=h: x + h * d, at, way))[0] for h in (step, -step)]
        expected.append((float(ends[0]) - float(ends[1])) / (2 * step))
        products = jax.tree.map(lambda g, d: (np.asarray(g) * d).sum(), gradient, way)
        got.append(float(sum(jax.tree.leaves(products))))
    size = max(map(abs, expected))
    if not size > 1e-9 * max(1.0, abs(float(value))) and not any(got):
        raise Broken(f"{of} does not change with {within}")
    error = max(abs(a - b) for a, b in zip(got, expected, strict=True)) / max(size, 1e-6)
    if error < tolerance:
        return error
    if not any(got):
        raise Broken(
            f"the gradient of {of} in {within} is 0, but {of} changes with them: it is cut, perhaps by stop_gradient "
            "or a conversion to NumPy"
        )
    raise Broken(
        f"the gradient of {of} in {within} differs from finite differences by {error:.2g} of its size"
    )


def hold_form(before: Any, after: Any, what: str) -> None:
    """Raises `Broken` if two trees of arrays, or of their shapes, differ in structure, shapes or types."""
    old, new = by_path(before), by_path(after)
    if jax.tree.structure(before) != jax.tree.structure(after):
        lost, found = (
            ", ".join(sorted(names)) or "nothing"
            for names in (old.keys() - new.keys(), new.keys() - old.keys())
        )
        raise Broken(f"{what} changes its structure (lost: {lost}; new: {found})")
    for path, x in old.items():
        y = new[path]
        if (x.shape, x.dtype) != (y.shape, y.dtype):
            raise Broken(f"{what}{path} changes from {x.dtype}{list(x.shape)} to {y.dtype}{list(y.shape)}")


def hold_arrays(tree: Any, what: str) -> None:
    """Raises `Broken` if a tree has leaves that are no arrays."""
    for path, leaf in by_path(tree).items():
        if not isinstance(leaf, jax.Array | np.ndarray):
            got = type(leaf).__name__
            raise Broken(f"{what}{path}: expected arrays only, got {got} (jnp.asarray makes one)")


def hold_finite(tree: Any, what: str) -> None:
    """Raises `Broken` if a tree of arrays holds a number that is not finite."""
    for path, x in by_path(tree).items():
        if jnp.issubdtype(x.dtype, jnp.floating) and not np.isfinite(np.asarray(x)).all():
            raise Broken(f"{what}{path} is not finite")


def by_path(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by their paths, such as "['dense']['kernel']"."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def same(a: Any, b: Any, rtol: float = 1e-4) -> bool:
    """Whether two arrays agree to `rtol` of their largest number."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return a.shape == b.shape and bool(
        np.abs(a - b).max(initial=0) <= rtol * max(np.abs(a).max(initial=0), 1e-6)
    )
