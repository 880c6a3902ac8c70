"""Random numbers of a function: which of them hang on the key that it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core


def draws_apart(function: Callable[..., Any], args: tuple[Any, ...], given: Any) -> bool:
    """Whether a function draws random numbers by keys that do not depend on those among its arguments.

    Args:
      function: of trees of arrays. It is traced.
      args: its arguments.
      given: the key, which is a leaf of them, or a tree of such leaves.
    """
    jaxpr, own = jax.make_jaxpr(function)(*args).jaxpr, {id(key) for key in jax.tree.leaves(given)}
    return _apart(jaxpr, [id(leaf) in own for leaf in jax.tree.leaves(args)])[0]


def _apart(jaxpr: Any, depends: Sequence[bool]) -> tuple[bool, list[bool]]:
    """Whether there is such a draw, and which outputs depend on the key, where these inputs do."""
    hang = {x for x, d in zip(jaxpr.invars, depends, strict=True) if d}
    found = False
    for step in jaxpr.eqns:
        given = [not isinstance(x, core.Literal) and x in hang for x in step.invars]
        found |= step.primitive.name == "random_bits" and not any(given)
        after = [any(given)] * len(step.outvars)
        for inner in core.jaxprs_in_params(step.params):
            n = len(inner.invars)
            repeats = step.primitive.name in ("scan", "while")  # what comes out of a round goes into the next
            own = given[len(given) - n :] if n <= len(given) and not repeats else [any(given)] * n
            apart, outputs = _apart(inner, own)
            found |= apart
            if len(outputs) == len(after) and step.primitive.name == "jit":
                after = outputs
        hang.update(x for x, d in zip(step.outvars, after, strict=True) if d)
    return found, [not isinstance(x, core.Literal) and x in hang for x in jaxpr.outvars]
