"""Derivatives by JAX's own rules alone, to hold rules that somebody wrote (`custom_vjp`, `custom_jvp`) against."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core
from jax.extend.core.primitives import custom_jvp_call_p, custom_vjp_call_p, jit_p, remat_p

# Those of JAX, and those of this package, which have tests of their own: holding them takes as long as all other laws.
_TRUSTED = [
    f"{path}{os.sep}" for path in (pathlib.Path(jax.__file__).parent, pathlib.Path(__file__).parents[1])
]


def has_own_rules(function: Callable[..., Any], *args: Any) -> bool:
    """Whether the function, at arguments of these shapes, has rules that are part of neither JAX nor jaxgan."""
    return _has(jax.make_jaxpr(function)(*args).jaxpr)


def without_rules(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of arrays; its derivatives are those of what it computes, whatever own rules it has."""

    def plain(*args: Any) -> Any:
        traced, shape = jax.make_jaxpr(function, return_shape=True)(*args)
        found = _computed(traced.jaxpr, traced.consts, jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shape), found)

    return plain


def _is_own(step: Any) -> bool:
    if step.primitive not in (custom_jvp_call_p, custom_vjp_call_p):
        return False
    where = str(step.params["call_jaxpr"].jaxpr.debug_info.func_src_info)
    return not any(path in where for path in _TRUSTED)


def _has(jaxpr: Any) -> bool:
    return any(_is_own(s) or any(map(_has, core.jaxprs_in_params(s.params))) for s in jaxpr.eqns)


def _computed(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))
    value = lambda x: x.val if isinstance(x, core.Literal) else known[x]
    for step in jaxpr.eqns:
        given = [value(x) for x in step.invars]
        if _is_own(step):
            inner = step.params["call_jaxpr"]
            found = _computed(inner.jaxpr, inner.consts, given)
        elif step.primitive is jit_p:
            inner = step.params["jaxpr"]
            found = _computed(inner.jaxpr, inner.consts, given)
        elif step.primitive is remat_p:
            found = _computed(step.params["jaxpr"], (), given)
        else:
            found = _alone(step.replace(params=_plain_params(step.params)), given)
        known.update(zip(step.outvars, found, strict=True))
    return [value(x) for x in jaxpr.outvars]


def _alone(step: Any, given: Sequence[Any]) -> list[Any]:
    inputs = [core.Var(x.aval) for x in step.invars]
    outputs = [core.Var(x.aval) for x in step.outvars]
    info = core.DebugInfo("rules", "rules", tuple("x" for _ in inputs), tuple("y" for _ in outputs))
    whole = core.Jaxpr(
        (), inputs, outputs, [step.replace(invars=inputs, outvars=outputs)], step.effects, info
    )
    return core.jaxpr_as_fun(core.ClosedJaxpr(whole, ()))(*given)


def _plain_params(params: dict[str, Any]) -> dict[str, Any]:
    """Those of a loop or a branch, with the programs inside it without rules."""

    def plain(x: Any) -> Any:
        if isinstance(x, core.ClosedJaxpr) and _has(x.jaxpr):
            return jax.make_jaxpr(lambda *args: _computed(x.jaxpr, x.consts, args))(*x.in_avals)
        return tuple(map(plain, x)) if type(x) is tuple else x

    return {name: plain(x) for name, x in params.items()}
