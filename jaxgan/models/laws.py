"""What every family of networks must obey, as functions that try to refute it.

A law takes `Networks`: a configuration, built for the first kind of examples that it takes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common import keys
from jaxgan.common.checking.laws import (
    Broken,
    Skipped,
    Verdict,
    by_path,
    hold_finite,
    hold_form,
    same,
    verdicts,
)
from jaxgan.common.checking.rules import has_own_rules, without_rules
from jaxgan.common.errors import InputError
from jaxgan.data import modality_of
from jaxgan.models.growth import Growth

SHAPES = ((12, 12, 2), (16, 16, 2), (2,), (32, 32, 3))
CLASSES, LATENT, N = 3, 6, 4
_RULES_TOLERANCE = 0.01  # of the size of a gradient: so near must one's own rules be to JAX's


class Networks:
    """The two networks of a configuration, and what the laws give to them."""

    def __init__(self, config: Any, shape: tuple[int, ...] | None = None) -> None:
        """Builds nothing yet.

        Args:
          config: of a family of networks.
          shape: of one example; None takes the first of SHAPES that the configuration accepts.
        """
        self.config, self._shapes = config, SHAPES if shape is None else (shape,)
        self._answers: dict[Any, Any] = {}
        self._slopes: dict[str, Any] = {}

    @cached_property
    def built(self) -> tuple[tuple[int, ...], dict[str, Any]]:
        """Shape of one example, and the modules by name. Raises Broken if no shape is accepted."""
        refused = []
        for shape in self._shapes:
            try:
                modules = self.config.build(shape, CLASSES)
            except Exception as error:  # whatever a user's function raises is the finding
                word = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
                refused.append(f"{list(shape)} ({word}{error})")
                continue
            if not isinstance(modules, tuple | list) or len(modules) != 2:
                many = f" of {len(modules)}" if isinstance(modules, tuple | list) else ""
                raise Broken(
                    f"build: expected (generator, discriminator), got {type(modules).__name__}{many}"
                )
            return shape, dict(zip(("generator", "discriminator"), modules, strict=True))
        raise Broken(
            f"build: expected networks for images or points, but refused are {' and '.join(refused)}"
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return self.built[0]

    @cached_property
    def labels(self) -> np.ndarray | None:
        """A label for each example, all classes among them; None where labels do not matter."""
        return np.arange(N, dtype=np.int32) % CLASSES if self.config.conditional else None

    @cached_property
    def inputs(self) -> dict[str, jax.Array]:
        """What each is given: latents (a translator: examples), and examples in the range that the model sees."""
        rng = np.random.default_rng(0)
        translates = getattr(self.config, "translates", False)
        given = {
            "generator": rng.uniform(-0.9, 0.9, (N, *self.shape))
            if translates
            else rng.normal(size=(N, LATENT)),
            "discriminator": rng.uniform(-0.9, 0.9, (N, *self.shape)),
        }
        return {name: jnp.asarray(x, jnp.float32) for name, x in given.items()}

    @cached_property
    def variables(self) -> dict[str, Any]:
        """Variables to start from, by network. Parameters are moved a little, as some start at 0 on purpose."""
        return {name: _moved(init(keys.quick(0), self.inputs[name])) for name, init in self._inits.items()}

    def like(self, name: str) -> dict[str, Any]:
        """Shapes and types of the variables of a network."""
        return self._inits[name].eval_shape(keys.quick(0), self.inputs[name])

    @cached_property
    def _inits(self) -> dict[str, Any]:
        init = lambda module: jax.jit(lambda key, x: dict(module.init(key, x, self.labels, train=True)))
        return {name: init(module) for name, module in self.built[1].items()}

    def answer(self, name: str, *, train: bool, **options: Any) -> Any:
        """`apply` as a function of variables and examples, which is traced once and compiled, whoever asks for it."""
        key = (name, train, *options.items())
        if key not in self._answers:
            self._answers[key] = jax.jit(lambda v, x: self.apply(name, v, x, train=train, **options))
        return self._answers[key]

    def value(self, name: str, params: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """A scalar of all that a network answers in training with these parameters, and its answer."""
        variables, total, answer = {**self.variables[name], "params": params}, jnp.zeros(()), jnp.zeros(())
        for moment in self.moments:
            out = answer = self.answer(name, train=True, **moment)(variables, x)[0]
            if getattr(self.built[1][name], "classifies", False):
                classes = self.answer(name, train=True, classify=True, **moment)(variables, x)[0]
                out = jnp.concatenate([out.reshape(N, -1), classes], axis=1)
            total += (out * np.random.default_rng(3).normal(size=out.shape).astype(np.float32)).sum()
        return total + self.terms(name, variables, x), answer

    def slopes(self, name: str) -> Any:
        """(params, x) -> the gradient of `value` in both, and the network's answer; compiled once."""
        if name not in self._slopes:
            value = lambda params, x: self.value(name, params, x)
            self._slopes[name] = jax.jit(jax.grad(value, (0, 1), has_aux=True))
        return self._slopes[name]

    def make(self, z: jax.Array) -> jax.Array:
        """What the generator makes of latents [n, k] after training."""
        return self.answer("generator", train=False)(self.variables["generator"], z)[0]

    @property
    def moments(self) -> list[dict[str, int]]:
        """Options that say when networks are looked at; of those that grow, the midst of every stage."""
        growth = getattr(self.built[1]["generator"], "growth", None)
        return [{"step": step} for step in growth.middles()] if isinstance(growth, Growth) else [{}]

    def apply(
        self, name: str, variables: Any, x: jax.Array, *, train: bool, **options: Any
    ) -> tuple[Any, Any]:
        """The answer of a network, and the collections that it leaves (but for parameters)."""
        module, kept = self.built[1][name], [c for c in variables if c != "params"]
        if not train:
            out = module.apply(variables, x, self.labels, train=False, **options)
            return out, {c: variables[c] for c in kept}
        return module.apply(variables, x, self.labels, train=True, mutable=kept, **options)

    def terms(self, name: str, variables: Any, x: jax.Array) -> jax.Array:
        """What the network adds itself to what it minimises, if it does (`terms`), or 0."""
        module, kept = self.built[1][name], [c for c in variables if c != "params"]
        if not hasattr(module, "terms"):
            return jnp.zeros(())
        own = {"keys": jax.random.split(jax.random.key(2), len(x)), "train": True}
        found, _ = module.apply(variables, x, self.labels, **own, mutable=kept, method="terms")
        return sum((values.sum() for _, values in found.values()), jnp.zeros(()))


def _moved(variables: dict[str, Any]) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    move = lambda p: jnp.asarray(np.asarray(p) + (0.05 * rng.normal(size=p.shape)).astype(p.dtype))
    return {**variables, "params": jax.tree.map(move, variables["params"])}


def _stats(variables: dict[str, Any]) -> dict[str, Any]:
    return {name: collection for name, collection in variables.items() if name != "params"}


def form_law(networks: Networks) -> str:
    """Examples of the right shape from latents, logits [batch] or [batch, k] from examples, float32."""
    for name, module in networks.built[1].items():
        variables, x = _hold_answers(networks, name), networks.inputs[name]
        for train in () if networks.config.conditional else (True, False):  # whatever the labels
            kept = list(_stats(variables)) if train else False
            apply = lambda v, x, m=module, t=train, k=kept: m.apply(
                v, x, jnp.zeros(N, jnp.int32), train=t, mutable=k
            )
            out: Any = jax.eval_shape(apply, variables, x)
            _hold_answer(name, out[0] if train else out, networks.shape, train)
    return f"float32 examples {list(networks.shape)} and logits, in training and after it"


def _hold_answers(networks: Networks, name: str) -> Any:
    """Shapes of a network's variables. Raises Broken if an answer is not of its form."""
    variables = networks.like(name)
    for train in (True, False):
        out, _ = networks.answer(name, train=train).eval_shape(variables, networks.inputs[name])
        _hold_answer(name, out, networks.shape, train)
    return variables


def _hold_answer(name: str, out: Any, shape: tuple[int, ...], train: bool) -> None:
    got = list(getattr(out, "shape", []))
    if name == "generator" and got != [N, *shape]:
        raise Broken(f"generator: expected examples {[N, *shape]} with train={train}, got {got}")
    if name == "discriminator" and (got[:1] != [N] or len(got) > 2):
        raise Broken(f"discriminator: expected logits [{N}] or [{N}, k] with train={train}, got {got}")
    if out.dtype != jnp.float32:
        raise Broken(f"{name}: expected float32 with train={train}, got {out.dtype}")


def range_law(networks: Networks) -> str:
    """Fakes are finite, images lie in [-1, 1] (unless the family says that nothing bounds them), latents (and labels)
    make a difference, and logits are no probabilities.
    """
    bounded = modality_of(networks.shape).bounded and getattr(networks.config, "bounded", True)
    z, make = networks.inputs["generator"], networks.make
    for size in (30.0, 1.0):
        x = make(size * z)
        hold_finite(x, "generator: what it makes")
        if bounded and (most := float(jnp.abs(x).max())) > 1:
            raise Broken(f"generator: expected images in [-1, 1], got values up to {most:.3g}")
        if networks.labels is None and same(x, make(size * z[::-1]), 1e-6):
            raise Broken("generator: latents make no difference")
    if networks.labels is not None:
        alike = make(jnp.repeat(z[:1], N, axis=0))
        if same(alike[0], alike[1], 1e-6):
            raise Broken("generator: it is conditional, but labels make no difference")
        if same(alike[1], make(z)[1], 1e-6):
            raise Broken("generator: latents make no difference")
    _hold_logits(networks)
    return "images in [-1, 1]" if bounded else "finite numbers"


def _hold_logits(networks: Networks) -> None:
    """Raises Broken if the discriminator's answers stay in [0, 1], whatever its parameters and what it judges."""
    ask, x = networks.slopes("discriminator"), networks.inputs["discriminator"]
    for size in (1.0, -1.0, 3.0, -3.0, 10.0):
        params = jax.tree.map(lambda p, size=size: size * p, networks.variables["discriminator"]["params"])
        for examples in (x, -30 * x):
            logits = ask(params, examples)[1]
            if not ((logits >= 0) & (logits <= 1)).all():
                return
    raise Broken(
        "discriminator: expected logits, which can be any number, but its answers stay in [0, 1], as probabilities do: "
        "leave the sigmoid out"
    )


def gradient_law(networks: Networks) -> str:
    """A gradient reaches every parameter, and through the discriminator what it judges. Where rules of one's own give
    another than JAX's, as those that quantise or reverse a gradient do on purpose, it is noted.
    """
    notes = []
    for name, variables in networks.variables.items():
        given = variables["params"], networks.inputs[name]
        (own, into), _ = networks.slopes(name)(*given)
        hold_finite(own, f"{name}: the gradient in ")
        if unused := [path for path, g in by_path(own).items() if not np.asarray(g).any()]:
            more = f" and {len(unused) - 3} more" if len(unused) > 3 else ""
            raise Broken(f"{name}: no gradient reaches {', '.join(unused[:3])}{more}: unused, or cut off")
        if not into.any():
            what = "its latents" if name == "generator" else "what it judges, so the generator learns nothing"
            raise Broken(f"{name}: no gradient reaches {what}")
        value = lambda params, x, name=name: networks.value(name, params, x)[0]
        if has_own_rules(value, *given):
            plain = jax.jit(jax.grad(without_rules(value), (0, 1)))
            error = _apart_by((own, into), lambda plain=plain, given=given: plain(*given))
            if not error < _RULES_TOLERANCE:
                notes.append(
                    f"{name}: its own rule (custom_vjp or custom_jvp) gives another gradient than the function's, by "
                    f"{error:.2g} of its size: if that is meant, all is well"
                )
    return "; ".join(["one reaches every parameter of both networks", *notes])


def _apart_by(got: Any, by_jax: Callable[[], Any]) -> float:
    """How far a derivative is from that which JAX finds without rules, relative to that one's size.

    It is 0 where that cannot be told: JAX finds none, or one that is not finite, as at the root of 0.
    """
    try:
        expected = by_jax()
    except Exception:  # such as a callback, for which there are only rules
        return 0.0
    if not all(np.isfinite(np.asarray(x)).all() for x in jax.tree.leaves(expected)):
        return 0.0
    size = lambda tree: (
        float(sum(np.square(np.asarray(x, np.float64)).sum() for x in jax.tree.leaves(tree))) ** 0.5
    )
    difference = size(jax.tree.map(lambda a, b: np.asarray(a) - np.asarray(b), got, expected))
    return difference / max(size(expected), 1e-6)


def second_law(networks: Networks) -> str:
    """Second derivatives of the discriminator, which gradient penalties need, exist and are finite. Those of rules of
    one's own agree with JAX's, if their first ones do.
    """
    variables = networks.variables["discriminator"]
    ask = lambda params, x: networks.answer("discriminator", train=True)({**variables, "params": params}, x)[
        0
    ]

    def gradient(ask: Callable[[Any, jax.Array], jax.Array]) -> Any:
        slope = lambda params, x: jax.grad(lambda x: ask(params, x).sum())(x)
        return jax.jit(jax.grad(lambda params, x: jnp.square(slope(params, x)).sum()))

    given, x = gradient(ask), networks.inputs["discriminator"]
    for examples, where in ((jnp.zeros_like(x), "at examples of zeros"), (x, "at random examples")):
        found = given(variables["params"], examples)
        hold_finite(found, f"discriminator: the gradient of R1 {where} in ")
    if has_own_rules(ask, variables["params"], x):
        first = lambda ask: jax.jit(jax.grad(lambda params, x: ask(params, x).sum(), (0, 1)))
        params, plain = variables["params"], without_rules(ask)
        if not _apart_by(first(ask)(params, x), lambda: first(plain)(params, x)) < _RULES_TOLERANCE:
            return (
                "they exist and are finite, those of a rule that gives another gradient than the function's"
            )
        error = _apart_by(found, lambda: gradient(plain)(params, x))
        if not error < _RULES_TOLERANCE:
            raise Broken(
                f"discriminator: the gradient of R1 differs by {error:.2g} of its size from that without the network's "
                "custom_vjp or custom_jvp, though the first gradient agrees: such a rule cuts its own gradient "
                "(stop_gradient), or has a wrong rule inside"
            )
    return "they exist and are finite"


def statistics_law(networks: Networks) -> str:
    """Training keeps the form of all statistics; after it a fake depends on its own latent only."""
    for name, variables in networks.variables.items():
        _, left = networks.answer(name, train=True).eval_shape(variables, networks.inputs[name])
        hold_form(_stats(variables), dict(left), f"{name}: statistics ")
    z, make = networks.inputs["generator"], networks.make
    if not same(make(z)[0], make(z.at[1:].multiply(-2.0))[0]):
        raise Broken("generator: with train=False a fake depends on the other latents of the batch")
    return "training keeps their form; after it a fake depends on its own latent only"


def precision_law(networks: Networks) -> str:
    """With dtype "bfloat16" networks compute in it; parameters, statistics, fakes and logits stay float32."""
    if "dtype" not in {field.name for field in dataclasses.fields(networks.config)}:
        raise Skipped("there is no option dtype")
    low = Networks(dataclasses.replace(networks.config, dtype="bfloat16"), networks.shape)
    for name, variables in networks.variables.items():
        for path, p in by_path(_hold_answers(low, name)["params"]).items():
            if p.dtype != jnp.float32:
                raise Broken(f"{name}: expected float32 parameters with bfloat16, got {p.dtype} in {path}")
        given = variables, low.inputs[name]
        traced = low.answer(name, train=False).trace(*given)
        found, _ = traced.lower().compile()(*given)
        hold_finite(found, f"{name}: its answer in bfloat16")
        if "bf16" not in str(traced.jaxpr):
            raise Broken(f"{name}: it computes nothing in bfloat16, though its dtype says so")
        _, left = low.answer(name, train=True).eval_shape(*given)
        hold_form(_stats(variables), dict(left), f"{name}: statistics ")
    return "with bfloat16 networks compute in it; parameters, statistics, fakes and logits stay float32"


LAWS: dict[str, Callable[[Networks], str]] = {
    "form": form_law,
    "range": range_law,
    "gradient": gradient_law,
    "second": second_law,
    "statistics": statistics_law,
    "precision": precision_law,
}


def check(config: Any) -> list[Verdict]:
    """Tries every law on a configuration; once the form is wrong, the others are skipped."""
    return verdicts(LAWS, Networks(config))
