"""Every entry of LOSSES, by law: values against NumPy, gradients against finite differences, extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.losses import LOSSES, Loss, get_loss

softplus = lambda x: np.logaddexp(x, 0.0)

# The formulas of the papers in NumPy: name -> options -> (discriminator, generator). A new entry of
# LOSSES fails the tests until its formula stands here.
REFERENCE = {
    ("minimax", ()): (lambda r, f: softplus(-r) + softplus(f), lambda r, f: -softplus(f)),
    ("minimax", (("label_smoothing", 0.1),)): (
        lambda r, f: 0.9 * softplus(-r) + 0.1 * softplus(r) + softplus(f),
        lambda r, f: -softplus(f),
    ),
    ("non_saturating", ()): (lambda r, f: softplus(-r) + softplus(f), lambda r, f: softplus(-f)),
    ("non_saturating", (("label_smoothing", 0.25),)): (
        lambda r, f: 0.75 * softplus(-r) + 0.25 * softplus(r) + softplus(f),
        lambda r, f: softplus(-f),
    ),
    ("least_squares", ()): (lambda r, f: 0.5 * (r - 1) ** 2 + 0.5 * f**2, lambda r, f: 0.5 * (f - 1) ** 2),
    ("least_squares", (("fake_target", -1.0), ("generator_target", 0.0))): (
        lambda r, f: 0.5 * (r - 1) ** 2 + 0.5 * (f + 1) ** 2,
        lambda r, f: 0.5 * f**2,
    ),
    ("least_squares", (("label_smoothing", 0.1),)): (
        lambda r, f: 0.5 * (r - 0.9) ** 2 + 0.5 * f**2,
        lambda r, f: 0.5 * (f - 1) ** 2,
    ),
    ("wasserstein", ()): (lambda r, f: f - r, lambda r, f: -f),
    ("hinge", ()): (lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f), lambda r, f: -f),
    ("relativistic_paired", ()): (lambda r, f: softplus(f - r), lambda r, f: softplus(r - f)),
    ("relativistic_paired", (("label_smoothing", 0.1),)): (
        lambda r, f: 0.9 * softplus(f - r) + 0.1 * softplus(r - f),
        lambda r, f: softplus(r - f),
    ),
}
CASES = [pytest.param(*key, id=f"{key[0]}{dict(key[1]) or ''}") for key in REFERENCE]
PLAYERS = ("discriminator", "generator")


def test_every_loss_has_a_reference():
    assert {name for name, _ in REFERENCE} == set(LOSSES)


@pytest.mark.parametrize("player", [0, 1], ids=PLAYERS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_values_are_those_of_the_formula(name, options, player):
    r, f = np.random.default_rng(0).normal(0, 3, (2, 50))
    loss = LOSSES[name](**dict(options))
    expected = np.broadcast_to(REFERENCE[name, options][player](r, f), r.shape)
    got = loss[player](jnp.asarray(r, jnp.float32), jnp.asarray(f, jnp.float32))
    assert got.shape == (50,)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("player", [0, 1], ids=PLAYERS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_gradients_are_those_of_finite_differences(name, options, player):
    with jax.enable_x64(True):
        logits = jnp.asarray(np.random.default_rng(1).normal(0, 3, (2, 40)))
        total = lambda logits: LOSSES[name](**dict(options))[player](*logits).sum()
        got = jax.grad(total)(logits)
        assert got.dtype == jnp.float64
        step = 1e-6
        for side in (0, 1):
            shift = np.zeros((2, 40))
            shift[side] = step
            values = LOSSES[name](**dict(options))[player]
            expected = (values(*(logits + shift)) - values(*(logits - shift))) / (2 * step)
            np.testing.assert_allclose(got[side], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("player", [0, 1], ids=PLAYERS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_extreme_logits_stay_finite_with_exact_gradients(name, options, player):
    r, f = (
        jnp.asarray(x, jnp.float32)
        for x in zip(*[(a, b) for a in (-1e4, 0, 1e4) for b in (-1e4, 0, 1e4)], strict=True)
    )
    values = LOSSES[name](**dict(options))[player]
    expected = np.broadcast_to(REFERENCE[name, options][player](np.float64(r), np.float64(f)), r.shape)
    np.testing.assert_allclose(values(r, f), expected, rtol=1e-6)
    gradient = jax.grad(lambda r, f: values(r, f).sum(), argnums=(0, 1))(r, f)
    reference, step = REFERENCE[name, options][player], 1e-3
    r64, f64 = np.float64(r), np.float64(f)
    numeric = (
        (reference(r64 + step, f64) - reference(r64 - step, f64)) / (2 * step),
        (reference(r64, f64 + step) - reference(r64, f64 - step)) / (2 * step),
    )
    for got, expected in zip(gradient, numeric, strict=True):
        assert np.isfinite(got).all()
        np.testing.assert_allclose(got, np.broadcast_to(expected, got.shape), rtol=2e-3, atol=2e-4)


def test_minimax_is_zero_sum_in_the_fakes_and_non_saturating_is_not():
    r, f = jnp.zeros(3), jnp.asarray([-8.0, 0.0, 8.0])
    slope = lambda name, player: jax.grad(lambda f: LOSSES[name]()[player](r, f).sum())(f)
    np.testing.assert_allclose(slope("minimax", 0), -slope("minimax", 1))
    # where the discriminator wins (fake logit -8) the minimax generator has no gradient left
    assert abs(slope("minimax", 1)[0]) < 1e-3
    assert abs(slope("non_saturating", 1)[0] + 1) < 1e-3


def test_hinge_has_no_gradient_on_its_margin():
    r, f = jnp.asarray([1.0]), jnp.asarray([-1.0])
    for gradient in jax.grad(lambda r, f: LOSSES["hinge"]().discriminator(r, f).sum(), (0, 1))(r, f):
        assert gradient == 0


@pytest.mark.parametrize("name", ["relativistic_paired", "wasserstein"])
def test_critics_that_only_compare_ignore_a_common_shift(name):
    r, f = jax.random.normal(jax.random.key(0), (2, 16))
    loss = LOSSES[name]()
    np.testing.assert_allclose(loss.discriminator(r + 3, f + 3), loss.discriminator(r, f), rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_vector_logits_are_averaged_and_bfloat16_is_computed_in_float32(name):
    r, f = jax.random.normal(jax.random.key(1), (2, 6, 5))
    for player in LOSSES[name]():
        if player is None:
            continue
        each = jnp.stack([player(r[:, k], f[:, k]) for k in range(5)], 1)
        np.testing.assert_allclose(player(r, f), each.mean(1), rtol=1e-5)
        assert player(r.astype(jnp.bfloat16), f.astype(jnp.bfloat16)).dtype == jnp.float32


@pytest.mark.parametrize("name", LOSSES)
def test_batch_order_does_not_matter(name):
    r, f = jax.random.normal(jax.random.key(2), (2, 9))
    order = np.random.default_rng(0).permutation(9)
    for player in LOSSES[name]()[:2]:
        np.testing.assert_allclose(player(r[order], f[order]), player(r, f)[order], rtol=1e-6)


def test_accuracy_counts_logits_on_their_side():
    r, f = jnp.asarray([2.0, -1.0, 0.7]), jnp.asarray([-2.0, -3.0, 0.6])
    np.testing.assert_allclose(LOSSES["hinge"]().accuracy(r, f), [1.0, 0.5, 0.5])
    np.testing.assert_allclose(LOSSES["least_squares"]().accuracy(r, f), [1.0, 0.5, 0.5])
    np.testing.assert_allclose(LOSSES["relativistic_paired"]().accuracy(r, f), [1.0, 1.0, 1.0])
    assert LOSSES["wasserstein"]().accuracy is None


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"real_logits and fake_logits.*\(3,\) and \(2,\)"):
        LOSSES["hinge"]().discriminator(jnp.zeros(3), jnp.zeros(2))
    with pytest.raises(InputError, match="label_smoothing: expected 0 <= label_smoothing < 1, got 1.5"):
        get_loss("minimax", label_smoothing=1.5)
    with pytest.raises(InputError, match="unknown loss 'hing'; did you mean 'hinge'"):
        get_loss("hing")


def test_a_new_loss_is_one_pair():
    """The five lines of README.md ("Your own loss")."""
    bce = Loss(
        discriminator=lambda real, fake: jax.nn.softplus(-real) + jax.nn.softplus(fake),
        generator=lambda real, fake: jax.nn.softplus(-fake),
    )
    r, f = jax.random.normal(jax.random.key(3), (2, 7))
    for ours, theirs in zip(LOSSES["non_saturating"]()[:2], bce[:2], strict=True):
        np.testing.assert_allclose(ours(r, f), theirs(r, f), rtol=1e-6)
