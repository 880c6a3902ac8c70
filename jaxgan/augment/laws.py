"""What every augmentation must obey, as functions that try to refute it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.augment.base import Augmentation
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

SHAPES = ((3,), (8, 8, 2))
_N = 6
_STEPS = (0, 1, 10**6)


def _examples(shape: tuple[int, ...], seed: int = 0, dtype: Any = np.float32) -> tuple[jax.Array, jax.Array]:
    x = np.random.default_rng(seed).uniform(-0.9, 0.9, (_N, *shape))
    return jnp.asarray(x, dtype), keys.per_example(jax.random.key(seed), _N)


def _see(
    augmentation: Augmentation, x: jax.Array, own: jax.Array, memory: Any = None, step: int = 0
) -> jax.Array:
    """What is seen with this memory (None: that which it starts with)."""
    memory = augmentation.init() if memory is None else memory
    return jax.jit(augmentation.see)(memory, x, own, jnp.asarray(step, jnp.int32))


def _learned(augmentation: Augmentation, updates: int = 100) -> Any:
    """The memory after some updates in which the critic took all reals for real; it starts so where none changes it."""
    memory = augmentation.init()
    if augmentation.learn is None:
        return memory
    learn, logits = jax.jit(augmentation.learn), jnp.linspace(0.1, 1, _N)
    for i in range(updates):
        memory = learn(memory, logits, -logits)
        hold_finite(memory, f"memory, after {i + 1} updates: ")
    return memory


def _memories(augmentation: Augmentation) -> list[Any]:
    """Those to look with: which it starts with, and a learned one."""
    return [augmentation.init(), *([] if augmentation.learn is None else [_learned(augmentation)])]


def _seen(augmentation: Augmentation) -> list[tuple[int, ...]]:
    """Shapes of examples that it takes; raises Broken if there are none."""
    taken, complaint = [], None
    for shape in SHAPES:
        x, own = _examples(shape)
        try:
            jax.eval_shape(augmentation.see, augmentation.init(), x, own, jnp.zeros((), jnp.int32))
            taken.append(shape)
        except Exception as error:  # whatever a user's function raises is the finding
            complaint = complaint or error
    if not taken and complaint is not None:
        raise Broken(
            f"raises {type(complaint).__name__} for examples {[_N, *SHAPES[0]]}: {first_line(complaint)}"
        ) from complaint
    return taken


def form_law(augmentation: Augmentation) -> str:
    """What comes out has the shape and the type of what went in."""
    for shape in _seen(augmentation):
        x, own = _examples(shape)
        seen = jax.eval_shape(augmentation.see, augmentation.init(), x, own, jnp.zeros((), jnp.int32))
        for name in ("shape", "dtype"):
            got, expected = getattr(seen, name, None), getattr(x, name)
            if got != expected:
                raise Broken(f"expected examples of the same {name}, {expected}, got {got}")
    return "examples keep their shape and type"


def memory_law(augmentation: Augmentation) -> str:
    """The memory is arrays, and learning keeps its structure, shapes and types, and finite numbers."""
    memory = augmentation.init()
    hold_arrays(memory, "memory")
    if augmentation.learn is None:
        return "it never changes" if jax.tree.leaves(memory) else "nothing is remembered"
    _learned(augmentation)
    for logits in (jnp.linspace(-1, 1, _N), jnp.full(_N, 1e4), jnp.full(_N, -1e4)):
        after = jax.jit(augmentation.learn)(memory, logits, -logits)
        hold_form(memory, after, "memory")
        hold_finite(after, "memory")
        memory = after
    return "it keeps its structure, shapes and types, and stays finite, at logits of +-1e4 too"


def determinism_law(augmentation: Augmentation) -> str:
    """The same keys give the same examples, also when it is compiled again."""
    memory = _memories(augmentation)[-1]
    for shape in _seen(augmentation):
        x, own = _examples(shape)
        if draws_apart(augmentation.see, (memory, x, own, jnp.zeros((), jnp.int32)), own):
            raise Broken("it draws by a key that is not among its keys: the same numbers in every step")
        first, again = (
            _see(augmentation, x, own, memory),
            _see(augmentation._replace(see=_anew(augmentation)), x, own, memory),
        )
        if not np.array_equal(first, again):
            raise Broken(
                "the same keys give other examples the second time: draw all that is random by the keys"
            )
    return "the same keys give the same examples"


def _anew(augmentation: Augmentation) -> Callable[..., jax.Array]:
    return lambda *args: augmentation.see(*args)


def keys_law(augmentation: Augmentation) -> str:
    """What becomes of an example depends on the example and its own key, not on the others."""
    looks = [(memory, step) for memory in _memories(augmentation) for step in _STEPS]
    for shape in _seen(augmentation):
        x, own = _examples(shape)
        other, other_keys = _examples(shape, 1)
        order = np.random.default_rng(1).permutation(_N)
        for look in looks:
            seen = _see(augmentation, x, own, *look)
            if not np.isfinite(seen).all():  # of which the law of finite numbers speaks
                continue
            if not same(seen[order], _see(augmentation, x[order], own[order], *look), 1e-5):
                raise Broken("the order of examples matters: each is to be drawn by its own key")
            mixed = x.at[1:].set(other[1:]), jnp.concatenate([own[:1], other_keys[1:]])
            if not same(seen[0], _see(augmentation, *mixed, *look)[0], 1e-5):
                raise Broken("what becomes of an example depends on the other examples or their keys")
    return "every example is changed by itself, by its own key"


def gradient_law(augmentation: Augmentation) -> str:
    """Gradients flow through it to the examples, as finite differences say (float64)."""
    worst, memory = 0.0, _memories(augmentation)[-1]
    for shape in _seen(augmentation):
        with jax.enable_x64(True):
            x, own = _examples(shape, dtype=np.float64)
            weights = jnp.asarray(np.random.default_rng(2).normal(size=x.shape))
            step = jnp.zeros((), jnp.int32)
            function = lambda x, own=own, weights=weights, step=step: (
                augmentation.see(memory, x, own, step) * weights
            ).sum()
            worst = max(worst, hold_gradient(function, x, "what is seen", "the examples"))
    return f"equal to finite differences in float64, to {worst:.0e} of their size"


def finite_law(augmentation: Augmentation) -> str:
    """Finite examples stay finite, at the borders -1 and 1 too, at any step and with a learned memory."""
    memories = _memories(augmentation)
    for shape in _seen(augmentation):
        x, own = _examples(shape)
        for value in (x, jnp.sign(x), jnp.zeros_like(x)):
            for number, memory in enumerate(memories):
                for step in _STEPS:
                    learned = ", with a learned memory," if number else ""
                    hold_finite(
                        _see(augmentation, value, own, memory, step), f"what is seen at step {step}{learned}"
                    )
    return "finite examples stay finite"


def mix_law(augmentation: Augmentation) -> str:
    """What is shown as reals has their shape and type, and each belongs to the real and the fake of its place."""
    if augmentation.mix is None:
        return "reals are shown as reals"
    mix, looks = (
        jax.jit(augmentation.mix),
        [(m, jnp.asarray(step)) for m in _memories(augmentation) for step in _STEPS],
    )
    for shape in SHAPES:
        (reals, own), (fakes, other_keys) = _examples(shape), _examples(shape, 1)
        keys_of_others = jnp.concatenate([own[:1], other_keys[1:]])
        for memory, step in looks:
            shown = mix(memory, reals, fakes, own, step)
            hold_form(reals, shown, "what is shown as reals")
            hold_finite(shown, "what is shown as reals")
            others = mix(memory, reals.at[1:].set(0), fakes.at[1:].set(0), keys_of_others, step)
            if not same(shown[0], others[0], 1e-5):
                raise Broken("what is shown as a real depends on other examples or their keys")
    return "each is made of the real and the fake of its place, by its own key"


LAWS: dict[str, Callable[[Augmentation], str]] = {
    "form": form_law,
    "memory": memory_law,
    "determinism": determinism_law,
    "keys": keys_law,
    "gradient": gradient_law,
    "finite": finite_law,
    "mix": mix_law,
}


def check(augmentation: Augmentation) -> list[Verdict]:
    """Tries every law; once the form is wrong, the others are skipped."""
    return verdicts(LAWS, augmentation)
