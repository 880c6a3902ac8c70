"""What every penalty must obey, as functions that try to refute it.

The laws look at each term of a penalty in a small game of smooth networks: a critic and a generator with one hidden
layer each. `check(penalty)` tries them all; `jaxgan check FILE.py:NAME` runs it over a penalty of the user's own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common import keys
from jaxgan.common.checking.draws import draws_apart
from jaxgan.common.checking.laws import (
    Broken,
    Verdict,
    first_line,
    hold_arrays,
    hold_finite,
    hold_form,
    hold_gradient,
    same,
    verdicts,
)
from jaxgan.penalties.base import Penalty, Scene, Term
from jaxgan.penalties.combine import lazy

SHAPES = ((3,), (8, 8, 2))
_LATENT, _HIDDEN, _N, _CLASSES = 4, 5, 6, 3


class _Examples(NamedTuple):
    reals: jax.Array
    latents: jax.Array
    labels: jax.Array
    keys: jax.Array


class _World:
    """Where a term is looked at: networks for examples of one shape, with `k` logits (None: one, without an axis)."""

    def __init__(self, shape: tuple[int, ...], k: int | None = None) -> None:
        self.shape, self.k = shape, k

    def params(self, dtype: Any = np.float32) -> dict[str, Any]:
        rng, size = np.random.default_rng(0), math.prod(self.shape)
        draw = lambda *of: jnp.asarray(rng.normal(0, of[0] ** -0.5, of), dtype)
        return {
            # steep, so that terms which leave small slopes alone have something to say
            "discriminator": {"in": draw(size, _HIDDEN), "out": 4 * draw(_HIDDEN, self.k or 1)},
            "generator": {"in": draw(_LATENT, _HIDDEN), "out": draw(_HIDDEN, size)},
            "classes": draw(_HIDDEN, _CLASSES),
        }

    def examples(self, seed: int = 0, n: int = _N, dtype: Any = np.float32) -> _Examples:
        rng = np.random.default_rng(seed)
        reals, latents = rng.normal(0.3, 0.7, (n, *self.shape)), rng.normal(size=(n, _LATENT))
        labels = jnp.asarray(rng.integers(0, _CLASSES, n), jnp.int32)
        own = keys.per_example(jax.random.key(seed), n)
        return _Examples(jnp.asarray(reals, dtype), jnp.asarray(latents, dtype), labels, own)

    def value(
        self, term: Term, memory: Any, params: dict[str, Any], examples: _Examples
    ) -> tuple[jax.Array, Any]:
        return term.value(memory, self.scene(params, examples), examples.keys)

    def scene(self, params: dict[str, Any], examples: _Examples) -> Scene:
        d, g = params["discriminator"], params["generator"]

        def critic(x: jax.Array) -> jax.Array:
            logits = jnp.tanh(x.reshape(len(x), -1) @ d["in"]) @ d["out"]
            return logits[:, 0] if self.k is None else logits

        def classify(x: jax.Array) -> jax.Array:
            return jnp.tanh(x.reshape(len(x), -1) @ d["in"]) @ params["classes"]

        def generate(z: jax.Array) -> jax.Array:
            return jnp.tanh(jnp.tanh(z @ g["in"]) @ g["out"]).reshape(-1, *self.shape)

        return Scene(
            examples.reals,
            generate(examples.latents),
            examples.latents,
            critic,
            generate,
            labels=examples.labels,
            classify=classify,
        )


def _terms(penalty: Penalty) -> list[tuple[str, Term]]:
    return [(side, term) for side, term in zip(penalty._fields, penalty, strict=True) if term is not None]


def _world(term: Term) -> _World:
    """The first one that the term works in; raises Broken if there is none."""
    complaint = None
    for shape in SHAPES:
        world = _World(shape)
        try:
            _shapes(term, world)
            return world
        except Exception as error:  # whatever a user's function raises is the finding
            complaint = complaint or error
    assert complaint is not None
    raise Broken(
        f"raises {type(complaint).__name__} for examples {[_N, *SHAPES[0]]}: {first_line(complaint)}"
    ) from complaint


class _Own:
    """A term as a key: that very one, as what a user has written need not have a hash."""

    def __init__(self, term: Term) -> None:
        self.term = term

    def __hash__(self) -> int:
        return id(self.term.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Own) and self.term.value is other.term.value


def _program(term: Term, world: _World) -> Any:
    """(memory, params, examples) -> values and memory, traced once and compiled, whichever law asks for it."""
    return _made(_Own(term), world.shape, world.k)


@functools.lru_cache(maxsize=8)
def _made(own: _Own, shape: tuple[int, ...], k: int | None) -> Any:
    world = _World(shape, k)
    return jax.jit(lambda memory, params, examples: world.value(own.term, memory, params, examples))


def _run(term: Term, world: _World, memory: Any, params: Any, examples: _Examples) -> Any:
    """Values and memory."""
    return _program(term, world)(memory, params, examples)


def _shapes(term: Term, world: _World) -> Any:
    """Those of values and memory, from what it starts from."""
    return _program(term, world).eval_shape(term.init(), world.params(), world.examples())


def _warm(term: Term, world: _World) -> Any:
    """The memory after three updates."""
    memory = term.init()
    for seed in range(3):
        memory = _run(term, world, memory, world.params(), world.examples(seed + 10))[1]
    return memory


def form_law(penalty: Penalty) -> str:
    """One float32 value an example, under jit."""
    if not _terms(penalty):
        raise Broken("neither the discriminator nor the generator has a term")
    for side, term in _terms(penalty):
        world = _world(term)
        for k in (None, 2):
            values = _shapes(term, _World(world.shape, k))[0]
            logits = (_N,) if k is None else (_N, k)
            if getattr(values, "shape", None) not in ((_N,), logits):
                raise Broken(
                    f"{side}: expected one value an example, [{_N}] for logits {list(logits)}, got "
                    f"{list(getattr(values, 'shape', []))} (the caller averages over the batch)"
                )
            if values.dtype != jnp.float32:
                raise Broken(f"{side}: expected float32 values, got {values.dtype}")
    return "one float32 value an example, for logits [batch] and [batch, k]"


class _LatentsUsed(Exception):
    pass


class _WithoutLatents(Scene):
    """A scene of a game without latents: asking for them raises `_LatentsUsed`."""

    @property
    def latents(self) -> jax.Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        raise _LatentsUsed("there are no latents")

    @property
    def generate(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        raise _LatentsUsed("there is no generator of latents")


_NEEDS: dict[str, tuple[str, Callable[[Scene], Scene]]] = {  # -> what it allows, and a scene without
    "needs_classes": ("labels or classify", lambda scene: scene._replace(labels=None, classify=None)),
    "needs_latents": ("latents or generate", lambda scene: _WithoutLatents(*scene)),
}


def needs_law(penalty: Penalty) -> str:
    """A term works where there are no labels and classes, or no latents, unless it says that it needs them."""
    for side, term in _terms(penalty):
        world, memory = _world(term), term.init()
        for need, (what, without) in _NEEDS.items():
            if getattr(term, need):
                continue
            value = lambda params, examples, without=without, term=term, world=world, memory=memory: (
                term.value(memory, without(world.scene(params, examples)), examples.keys)
            )
            try:
                jax.eval_shape(value, world.params(), world.examples())
            except _LatentsUsed as error:
                raise Broken(f"{side}: it uses {what} of the scene, but does not say {need}=True") from error
            except Exception as error:  # whatever a user's function raises is the finding
                raise Broken(
                    f"{side}: it does not say {need}=True, but raises {type(error).__name__} where the scene is "
                    f"without {what}: {first_line(error)}"
                ) from error
    return "it works without all that it does not say it needs"


def chance_law(penalty: Penalty) -> str:
    """All that a term draws hangs on its keys, or on keys and counts in its memory that updates change."""
    for side, term in _terms(penalty):
        world = _world(term)
        given = term.init(), world.params(), world.examples()
        value = lambda memory, params, examples, term=term, world=world: world.value(
            term, memory, params, examples
        )
        if not draws_apart(value, given, given[2].keys):
            continue
        before, after = jax.tree.leaves(given[0]), jax.tree.leaves(_warm(term, world))
        renewed = [a for a, b in zip(before, after, strict=True) if _names_a_draw(a) and not _same_bits(a, b)]
        if draws_apart(value, given, [given[2].keys, renewed]):
            raise Broken(
                f"{side}: it draws by a key of its own, the same numbers in every step: draw by its keys, or, if that "
                "is meant, compute the numbers outside"
            )
    return "all that is drawn hangs on the keys"


def _names_a_draw(x: Any) -> bool:
    """Whether an array may be a key, or a number that is folded into one."""
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key) or jnp.issubdtype(x.dtype, jnp.integer)


def _plain(x: Any) -> np.ndarray:
    return np.asarray(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x)


def _same_bits(a: Any, b: Any) -> bool:
    return np.array_equal(_plain(a), _plain(b))


def memory_law(penalty: Penalty, updates: int = 100) -> str:
    """Memories are arrays, keep their structure, shapes and types, and stay finite for a while, as values do."""
    remembered = 0
    for side, term in _terms(penalty):
        world, memory = _world(term), term.init()
        hold_arrays(memory, f"{side}: memory")
        hold_form(memory, _shapes(term, world)[1], f"{side}: memory")
        remembered += len(jax.tree.leaves(memory))
        params, batches = world.params(), [world.examples(seed) for seed in range(3)]
        for i in range(updates if jax.tree.leaves(memory) else 0):
            values, memory = _run(term, world, memory, params, batches[i % 3])
            hold_finite({"values": values, "memory": memory}, f"{side}: after {i + 1} updates ")
    return (
        "it keeps its structure, shapes and types, and stays finite"
        if remembered
        else "nothing is remembered"
    )


def gradient_law(penalty: Penalty) -> str:
    """The gradient in the parameters of the term's player is that of finite differences (float64)."""
    worst = 0.0
    for side, term in _terms(penalty):
        world, memory = _world(term), _warm(term, _world(term))
        with jax.enable_x64(True):
            params, examples = world.params(np.float64), world.examples(dtype=np.float64)
            memory = jax.tree.map(_as_float64, memory)
            function = lambda own, side=side, term=term, world=world, memory=memory, p=params, e=examples: (
                world.value(term, memory, {**p, side: own}, e)[0].mean()
            )
            worst = max(worst, hold_gradient(function, params[side], "its value", f"the {side}'s parameters"))
    return f"equal to finite differences in float64, to {worst:.0e} of their size"


def _as_float64(x: jax.Array) -> jax.Array:
    return x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x


def flat_law(penalty: Penalty) -> str:
    """Values and gradients are finite where critic and generator are constant, so that all slopes are 0."""
    for side, term in _terms(penalty):
        world = _world(term)
        flat = jax.tree.map(jnp.zeros_like, world.params())
        function = lambda own, memory, side=side, term=term, world=world, flat=flat: world.value(
            term, memory, {**flat, side: own}, world.examples()
        )[0].mean()
        slope = jax.jit(jax.value_and_grad(function))
        for memory in (term.init(), _warm(term, world)):
            value, gradient = slope(flat[side], memory)
            hold_finite(value, f"{side}: the value at a constant critic")
            hold_finite(gradient, f"{side}: the gradient at a constant critic (a root has none at 0)")
    return "finite values and gradients at a constant critic and generator"


def batch_size_law(penalty: Penalty) -> str:
    """The mean does not depend on the batch size: by repetition, or in expectation."""
    for side, term in _terms(penalty):
        world, memory = _world(term), _warm(term, _world(term))
        params, examples = world.params(), world.examples()
        twice = _Examples(*(jnp.concatenate([x, x]) for x in examples))
        means = [_run(term, world, memory, params, e)[0].mean() for e in (examples, twice)]
        if not same(*means):
            _hold_expectation(side, term, world, memory)
    return "the same mean for batches of any size"


def _hold_expectation(side: str, term: Term, world: _World, memory: Any, draws: int = 300) -> None:
    params, found = world.params(), []
    for n in (4, 16):
        one = jax.jit(lambda e: world.value(term, memory, params, e)[0].mean())
        means = np.asarray([float(one(world.examples(seed, n))) for seed in range(draws)])
        found.append((means.mean(), means.std(ddof=1) / draws**0.5))
    (few, few_error), (many, many_error) = found
    if abs(few - many) > 4 * math.hypot(few_error, many_error):
        raise Broken(
            f"{side}: its mean depends on the batch size: {few:.4g} for batches of 4, {many:.4g} for 16"
        )


def order_law(penalty: Penalty) -> str:
    """The order of examples does not matter: values move with them and their keys."""
    order = np.random.default_rng(1).permutation(_N)
    for side, term in _terms(penalty):
        world, memory = _world(term), _warm(term, _world(term))
        params, examples = world.params(), world.examples()
        values, moved = (
            _run(term, world, memory, params, e)[0]
            for e in (examples, _Examples(*(x[order] for x in examples)))
        )
        if not same(values[order], moved):
            raise Broken(f"{side}: the values of examples depend on their order in the batch")
    return "values move with their examples"


def lazy_law(penalty: Penalty, every: int = 3) -> str:
    """Applied in one of k updates, k times as strongly, the mean over k updates is that of the plain one."""
    for side, term in _terms(penalty):
        world = _world(term)
        params, examples = world.params(), world.examples()
        start = _warm(term, world)
        lazily = lazy(Penalty(term._replace(init=lambda start=start: start)), every).discriminator
        assert lazily is not None
        expected, memory = _run(term, world, start, params, examples)
        step = jax.jit(
            lambda memory, term=lazily, world=world, p=params, e=examples: world.value(term, memory, p, e)
        )
        own, total = lazily.init(), jnp.zeros_like(expected)
        for _ in range(every):
            values, own = step(own)
            total += values
        if not same(total / every, expected):
            raise Broken(f"{side}: the mean over {every} lazy updates is not the value of a plain one")
        kept = zip(jax.tree.leaves(own["inner"]), jax.tree.leaves(memory), strict=True)
        if not all(same(_plain(a), _plain(b)) for a, b in kept):
            raise Broken(f"{side}: {every} lazy updates change the memory otherwise than a plain one")
    return f"the mean over {every} lazy updates is the value of a plain one"


LAWS: dict[str, Callable[[Penalty], str]] = {
    "form": form_law,
    "needs": needs_law,
    "chance": chance_law,
    "memory": memory_law,
    "gradient": gradient_law,
    "flat": flat_law,
    "batch_size": batch_size_law,
    "order": order_law,
    "lazy": lazy_law,
}


def check(penalty: Penalty) -> list[Verdict]:
    """Tries every law; once the form is wrong, the others are skipped."""
    return verdicts(LAWS, penalty)
