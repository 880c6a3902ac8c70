"""Small games whose course is known: the Dirac-GAN and the bilinear game, through the real step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import H, compiled, floats, game, in_float64, penalised, zeros

from jaxgan import init, make_step
from jaxgan.common.keys import quick
from jaxgan.config import PRESETS, get_preset
from jaxgan.config.data import as_meant
from jaxgan.data import open_source
from jaxgan.games.optimizers import OPTIMIZERS


@pytest.mark.parametrize("preset", PRESETS)
def test_games_of_presets_declare_who_judges(preset):
    """As advice and monitors go by that, and not by what turns are called."""
    config = get_preset(preset)
    source = as_meant(config) or open_source("ring")
    game = config.build(source.spec)
    judged = any(turn.name == "d" for turn in game.turns)
    assert (game.critic is not None) == (judged and config.game != "aae")  # whose critic tells latents apart


# --- the Dirac-GAN: data at 0, G(z) = theta, D(x) = psi x ---


def jacobian(gan, batch):
    """Of one step at 0, the equilibrium, in all floats of both players: (theta, psi) if nothing is remembered."""
    with jax.enable_x64(True):
        state, step = in_float64(init(gan, quick(0), batch)), make_step(gan)
        # Zeros for flags too: optimistic gradients are past their first step.
        names = ("generator", "discriminator")
        own = lambda state: [state.players[name].replace(average=None) for name in names]
        players = jax.tree.map(jnp.zeros_like, own(state))
        leaves, tree = jax.tree.flatten(players)

        def move(x):
            x = iter(x)
            now = [next(x) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf for leaf in leaves]
            average = {"generator": state.players["generator"].average, "discriminator": None}
            moved = zip(names, jax.tree.unflatten(tree, now), strict=True)
            start = {name: player.replace(average=average[name]) for name, player in moved}
            new, _ = step(state.replace(players=start), batch)
            return jnp.stack(floats(own(new)))

        return np.asarray(jax.jacfwd(move)(jnp.zeros(len(floats(players)))))


def theory(c_d=1.0, c_g=1.0, gamma=0.0, updates="alternating", g_rate=H, d_rate=H):
    """The linearised step.

    With l(t) the derivative of the loss in the fakes' logit t = psi theta at 0, dL_D/dpsi = c_d theta and
    dL_G/dtheta = -c_g psi to first order, and what weighs gamma/2 psi^2 adds gamma psi. So
    theta <- theta + h_g c_g psi and psi <- (1 - h_d gamma) psi - h_d c_d theta, where psi is the old or
    the new one in the first.
    """
    g_move = np.asarray([[1, g_rate * c_g], [0, 1]])
    d_move = np.asarray([[1, 0], [-d_rate * c_d, 1 - d_rate * gamma]])
    if updates == "alternating":
        return g_move @ d_move
    field = g_move + d_move - 2 * np.eye(2)
    return np.eye(2) + (field if updates == "simultaneous" else field @ (np.eye(2) + field))


def eigenvalues(matrix):
    return np.sort_complex(np.linalg.eigvals(matrix))


# D's and G's slope at 0. Of sigmoids 1/2 (Mescheder's f'(0)), twice that where a loss has two terms that
# see the fakes; dual_contrastive is 2 n / (n + 1) for n = 4; least_squares' D does not look at fakes at 0.
SLOPES = {
    "minimax": (0.5, 0.5),
    "non_saturating": (0.5, 0.5),
    "wasserstein": (1, 1),
    "hinge": (1, 1),
    "relativistic_paired": (0.5, 0.5),
    "relativistic_average": (1, 1),
    "least_squares": (0, 1),
    "dual_contrastive": (1.6, 1.6),
    "mmd_rbf": (0, 0),
}


@pytest.mark.parametrize("loss", SLOPES)
def test_dirac_gan_unregularised_circles(loss):
    """Simultaneous: 1 +- i h c, outside the unit circle. Alternating: on it (determinant 1)."""
    c_d, c_g = SLOPES[loss]
    for updates in ("simultaneous", "alternating"):
        got = jacobian(game(loss, updates=updates), zeros())
        np.testing.assert_allclose(got, theory(c_d, c_g, updates=updates), atol=1e-12)
        if c_d == c_g != 0:
            size = np.abs(eigenvalues(got))
            expected = np.hypot(1, H * c_d) if updates == "simultaneous" else 1.0
            np.testing.assert_allclose(size, expected, atol=1e-12)


@pytest.mark.parametrize("updates", ["simultaneous", "alternating", "extragradient"])
@pytest.mark.parametrize("penalty", ["r1", "r2", "zero_centered"])
def test_dirac_gan_with_gradient_penalties_converges(penalty, updates):
    """gamma/2 psi^2 wherever the gradient is taken (and gamma psi^2 without the half): inside the circle."""
    gamma = 0.7
    got = jacobian(game("non_saturating", updates=updates, options=penalised(penalty, gamma)), zeros())
    expected = theory(0.5, 0.5, gamma * (2 if penalty == "zero_centered" else 1), updates)
    np.testing.assert_allclose(got, expected, atol=1e-12)
    assert np.abs(eigenvalues(got)).max() < 1


def test_dirac_gan_variations():
    """Two time scales: 1 +- i c sqrt(h_g h_d). Consensus: the gradient of gamma/2 ||v||^2 is gamma c^2
    (theta, psi), so 1 - h gamma c^2 +- i h c. Extragradient: 1 - h^2 c^2 +- i h c. Optimism:
    the roots of l^2 - l (1 -+ 2 i h c) -+ i h c."""
    c, both = 0.5, np.asarray([-1, 1])
    scales = game("non_saturating", g_rate=0.1, d_rate=0.4, updates="simultaneous")
    np.testing.assert_allclose(eigenvalues(jacobian(scales, zeros())), 1 + both * 0.2j * c, atol=1e-12)

    consensus = game("non_saturating", updates="simultaneous", consensus=0.8)
    got = eigenvalues(jacobian(consensus, zeros()))
    np.testing.assert_allclose(got, 1 - H * 0.8 * c**2 + both * 1j * H * c, atol=1e-12)
    assert np.abs(got).max() < 1

    extragradient = game("non_saturating", updates="extragradient")
    got = eigenvalues(jacobian(extragradient, zeros()))
    np.testing.assert_allclose(got, 1 - (H * c) ** 2 + both * 1j * H * c, atol=1e-12)
    assert np.abs(got).max() < 1

    optimistic = optax.chain(optax.scale_by_optimistic_gradient(), optax.sgd(H))
    changes = {"g_optimizer": optimistic, "d_optimizer": optimistic}
    got = jacobian(game("non_saturating", updates="simultaneous", options=changes), zeros())
    assert got.shape == (4, 4)
    roots = [np.roots([1, -(1 - s * 2j * H * c), -s * 1j * H * c]) for s in both]
    np.testing.assert_allclose(eigenvalues(got), np.sort_complex(np.concatenate(roots)), atol=1e-9)
    assert np.abs(eigenvalues(got)).max() < 1


def test_dirac_gan_with_instance_noise_is_regularised():
    """softplus'' = 1/4 at 0, so noise on reals and fakes adds 1/4 (E r^2 + E f^2) = sigma^2 / 2 psi."""
    got = jacobian(game("non_saturating", instance_noise=lambda step: 1.5), zeros(8192))
    np.testing.assert_allclose(got, theory(0.5, 0.5, 1.5**2 / 2), atol=0.008)  # the mean of 16384 squares
    assert np.abs(eigenvalues(got)).max() < 0.96


# --- simulations: the step under a scan ---


def distances(gan, steps):
    """From the equilibrium, after 0 to `steps` steps from (1, 1)."""
    with jax.enable_x64(True):
        state, step = in_float64(init(gan, quick(0), zeros())), make_step(gan)
        size = lambda s: optax.tree.norm((s.players["generator"].params, s.players["discriminator"].params))

        def advance(state, _):
            state = step(state, zeros())[0]
            return state, size(state)

        run = compiled(lambda state: jax.lax.scan(advance, state, length=steps)[1])
        return np.asarray([size(state), *run(state)])


def test_wgan_gp_does_not_converge_where_r1_does():
    r1 = distances(game("wasserstein", g_rate=0.05, d_rate=0.05, options=penalised("r1")), 1000)
    gp = distances(game("wasserstein", g_rate=0.05, d_rate=0.05, options=penalised("gradient_penalty")), 1000)
    assert r1[-100:].max() < 1e-6
    assert gp[-400:].min() > 0.3
    assert gp.max() < 5


def test_bilinear_game():
    """min max theta psi has c = 1 everywhere, so lengths change by the same factor at every step."""
    n = 300
    powers = lambda factor, count=n: np.sqrt(2) * factor ** np.arange(count + 1)
    descent = distances(game(updates="simultaneous"), n)
    np.testing.assert_allclose(descent, powers(np.hypot(1, H)), rtol=1e-9)
    extragradient = distances(game(updates="extragradient"), n)
    np.testing.assert_allclose(extragradient, powers(np.hypot(1 - H**2, H)), rtol=1e-9)
    lookahead = distances(game(updates="simultaneous", lookahead=(5, 0.3)), n)
    rate = abs(0.7 + 0.3 * (1 + 1j * H) ** 5)
    np.testing.assert_allclose(lookahead[::5], powers(rate, n // 5), rtol=1e-9)
    optimistic = optax.chain(optax.scale_by_optimistic_gradient(), optax.sgd(H))
    optimistic = {"g_optimizer": optimistic, "d_optimizer": optimistic}
    assert descent[-1] > 300
    assert max(extragradient[-1], lookahead[-1], distances(game(options=optimistic), n)[-1]) < 0.05


def test_optimistic_adam_ends_where_adam_circles():
    def end(name):
        optimizer = OPTIMIZERS[name](0.01, 0.0, 0.9, 0.1)
        options = {"g_optimizer": optimizer, "d_optimizer": optimizer}
        return distances(game(updates="simultaneous", options=options), 3000)[-1]

    assert end("adam") > 0.03
    assert end("optimistic_adam") < 1e-3
