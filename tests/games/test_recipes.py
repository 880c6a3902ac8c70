"""Recipes for one core: each learns a toy problem, goes on bit for bit, and does not mind devices or seeds."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import same_arrays, some
from toys import Net, averaged, compiled, domains, player, recipes, rings, to_b

from jaxgan import GAN, Game, InputError, Turn, compile_step, init, make_mesh, make_step
from jaxgan.augment import adaptive
from jaxgan.common.keys import quick
from jaxgan.games import Deal, View
from jaxgan.losses import LOSSES
from jaxgan.models.latents import get_latent
from jaxgan.penalties import get_penalty
from jaxgan.runs.checkpoint import Checkpoints, abstract

NAMES = list(recipes())
CORNERS = jnp.asarray([[1, 0], [0, 1], [-1, 0], [0, -1.0]])
Z = jax.random.normal(jax.random.key(5), (1000, 2))


def trained(game, batches, steps):
    """The state after some steps, all in one program, and the metrics of the last one."""
    step = make_step(game)

    def run(key):
        first = init(game, key, batches(0))
        return jax.lax.scan(lambda state, i: step(state, batches(i)), first, jnp.arange(steps))

    state, metrics = compiled(run)(jax.random.key(0))
    return state, {name: values[-1] for name, values in metrics.items()}


@functools.cache
def steady(name):
    """A recipe, its compiled step, and what it starts from as a program of the key.

    Descent with momentum has a state, and amplifies no rounding as Adam does.
    """
    game, batches = recipes(optax.sgd(0.02, momentum=0.5))[name]
    return game, batches, compiled(make_step(game)), compiled(lambda key: init(game, key, batches(0)))


def made(game, state, z=Z):
    return game.players[game.output.player].module.apply(game.averaged(state), z, None)


def answer(game, state, name, x):
    return game.players[name].module.apply({"params": state.players[name].params}, x)


def nearest(x, centres):
    distances = jnp.linalg.norm(x[:, None] - centres[None], axis=-1)
    return np.asarray(distances.argmin(1)), np.asarray(distances.min(1))


# --- each learns ---


def test_cycle_gan_finds_a_map_between_two_clouds_up_to_their_symmetry():
    """Every corner of the square goes to one corner of the other, no two to the same, and back."""
    game, batches = recipes()["cycle_gan"]
    state, metrics = trained(game, batches, 600)
    a = domains(999, 500)["a"]
    corner, distance = nearest(b := answer(game, state, "a_to_b", a), to_b(CORNERS))
    assert distance.mean() < 0.4  # of a radius of 1.5
    start, _ = nearest(a, CORNERS)
    table = {(int(s), int(e)) for s, e, d in zip(start, corner, distance, strict=True) if d < 0.7}
    assert len(table) == len({s for s, _ in table}) == len({e for _, e in table}) == 4
    assert jnp.abs(answer(game, state, "b_to_a", b) - a).mean() < 0.15
    assert float(metrics["g/cycle"]) < 0.3


def test_bigans_encoder_inverts_the_generator():
    game, batches = recipes()["bigan"]
    state, _ = trained(game, batches, 3000)
    x = made(game, state)
    back = answer(game, state, "encoder", x)
    assert min(np.corrcoef(np.asarray(back[:, i]), np.asarray(Z[:, i]))[0, 1] for i in range(2)) > 0.6
    real = rings(999)["image"]
    again = made(game, state, answer(game, state, "encoder", real))
    assert jnp.linalg.norm(again - real, axis=1).mean() < 0.4  # a point on the ring at random is 1.27 away


def test_vae_gan_rebuilds_what_it_encodes_and_samples_the_prior():
    game, batches = recipes()["vae_gan"]
    state, _ = trained(game, batches, 800)
    real = rings(999)["image"]
    mean, _ = answer(game, state, "encoder", real)
    assert jnp.linalg.norm(made(game, state, mean) - real, axis=1).mean() < 0.15
    modes, distance = nearest(made(game, state), ring_modes())
    assert len(np.unique(modes[distance < 0.15])) == 8


def test_two_critics_teach_one_generator():
    game, batches = recipes()["two critics"]
    state, _ = trained(game, batches, 1200)
    modes, distance = nearest(made(game, state), ring_modes())
    assert (distance < 0.15).mean() > 0.25
    assert len(np.unique(modes[distance < 0.15])) == 8


def ring_modes():
    angle = jnp.arange(8) * jnp.pi / 4
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], 1)


def test_path_length_makes_equal_steps_equally_long():
    """The spread of ||J|| over latents, with the term and without it."""
    spread = {}
    for weight in (0.0, 1.0):
        adam, penalty = optax.adam(2e-3, 0.5, 0.99), get_penalty("path_length")
        game = GAN(
            Net(2), Net(1, "logits"), LOSSES["non_saturating"](), adam, adam, get_latent("normal", 2),
            penalties={"path_length": (weight, penalty)},
        )  # fmt: skip
        state, metrics = trained(game, rings, 800)
        one = lambda z, state=state: Net(2).apply({"params": state.players["generator"].params}, z[None])[0]
        length = jnp.sqrt(jnp.square(jax.vmap(jax.jacobian(one))(Z)).sum((1, 2)))
        spread[weight] = float(length.std() / length.mean())
        assert float(state.memory["g/path_length"]) > 0.1  # the average has moved from 0
        assert set(metrics) >= {"g/path_length", "g/adversarial"}
    assert spread[1.0] < 0.6 * spread[0.0], spread


@pytest.mark.parametrize(("learns", "low", "high"), [("critic", 0.5, 1.0), ("generator", 0.0, 0.2)])
def test_adaptive_augmentation_grows_with_the_critics_certainty(learns, low, high):
    """A critic of a generator that stands still becomes sure of the reals; one that stands still itself does not."""
    game, batches = recipes()["adaptive"]
    still = "generator" if learns == "critic" else "discriminator"
    frozen = game.players | {still: game.players[still]._replace(optimizer=optax.sgd(0.0))}
    state, _ = trained(dataclasses.replace(game, players=frozen), batches, 300)
    assert low <= float(state.memory["augment/ada"]["p"]) <= high


# --- each goes on, and is the same on any devices and for any seed of several ---

GO_ON = some(NAMES, "cycle_gan", "vae_gan", "apa")
ON_DEVICES = some(NAMES, "path length", "adaptive")  # whose memory is a mean over the whole batch
SIDE_BY_SIDE = some(NAMES, "bigan", "two critics", "path length")  # which remembers


def test_every_recipe_is_tried_by_default():
    """Each in one of these ways, and each way on two recipes: all of all would take minutes."""
    ways = (GO_ON, ON_DEVICES, SIDE_BY_SIDE)
    assert set().union(*ways) == set(NAMES)
    assert min(map(len, ways)) >= 2


@pytest.mark.parametrize("name", GO_ON)
def test_saved_games_go_on_bit_for_bit(name, tmp_path):
    _, batches, step, start = steady(name)
    state = start(jax.random.key(0))
    for i in range(3):
        state, _ = step(state, batches(i))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(3, state, {})
    checkpoints.wait()
    like = abstract(start.eval_shape(jax.random.key(0)))
    restored = checkpoints.restore(3, like)
    checkpoints.close()
    plain = lambda tree: {
        jax.tree_util.keystr(path): np.asarray(x) for path, x in jax.tree_util.tree_leaves_with_path(tree)
    }
    ends = [step(again, batches(3)) for again in (state, restored)]
    same_arrays(*(plain((end.players, end.memory, metrics)) for end, metrics in ends))


@pytest.mark.parametrize("name", ON_DEVICES)
def test_devices_do_not_show(name):
    game, batches, alone, start = steady(name)
    data = [jax.tree.map(np.asarray, batches(i)) for i in range(3)]
    ends, mesh = [], make_mesh()
    for how in [None, "pmap"] + ["jit"] * (name in ("adaptive", "two critics")):
        state = init(game, jax.random.key(0), data[0], mesh) if how else start(jax.random.key(0))
        step = compile_step(make_step(game), mesh, how=how) if how else alone
        for batch in data:
            state, metrics = step(state, batch)
        ends.append(jax.tree.map(np.asarray, (state.players, state.memory, metrics)))
    for end in ends[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5), end, ends[0])


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
def test_seeds_side_by_side_are_seeds_alone(name):
    game, batches, alone, start = steady(name)
    starts = [start(jax.random.key(seed)) for seed in range(3)]
    mapped = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    together = compiled(jax.vmap(make_step(game), in_axes=(0, None)))
    for i in range(2):
        mapped, _ = together(mapped, batches(i))
        starts = [alone(state, batches(i))[0] for state in starts]
    for k, state in enumerate(starts):
        own = jax.tree.map(lambda x, k=k: x[k], (mapped.players, mapped.memory))
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5),
            own,
            (state.players, state.memory),
        )


# --- the core's own rules ---


def quadratic(name, target, **options):
    """A turn of one player that goes to `target`."""
    return Turn(
        name, (name,), lambda view: jnp.square(view(name, jnp.ones((1, 1))) - target).sum(), **options
    )


def two_players(*turns, **options):
    one = lambda: player(Net(1, width=2), None, optax.sgd(0.01))
    inputs = lambda batch: dict.fromkeys("ab", (jnp.ones((2, 1)),))
    return Game(players={"a": one(), "b": one()}, turns=turns, inputs=inputs, **options)


def params(state, name):
    return jax.tree.map(np.asarray, state.players[name].params)


def differ(a, b):
    return any((x != y).any() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def test_lazy_turns_are_taken_in_one_of_k_steps():
    game = two_players(quadratic("a", 1.0), quadratic("b", 1.0, every=3))
    state, step, moved, seen = init(game, quick(0), rings(0)), jax.jit(make_step(game)), [], []
    for i in range(6):
        before = params(state, "b"), params(state, "a")
        state, metrics = step(state, rings(i))
        moved.append(differ(before[0], params(state, "b")))
        seen.append(float(metrics["b/loss"]) > 0)
        assert differ(before[1], params(state, "a"))
    assert moved == seen == [True, False, False, True, False, False]


def test_a_lazy_turn_has_its_own_share_of_the_batch():
    seen = []
    look = lambda view: (seen.append(view.batch["image"].shape), view.batch["image"].sum())[1] * 0.0
    game = two_players(quadratic("a", 1.0), Turn("b", ("b",), look, slice(1, None, 4), every=2))
    make_step(game)(init(game, quick(0), rings(0)), rings(0))
    assert set(seen) == {(32, 2)}


def test_only_movers_move_and_only_they_keep_statistics():
    game, batches = recipes()["two critics"]
    state = init(game, quick(0), batches(0))
    turns = {turn.name: turn for turn in game.turns}
    for name, movers in [("d", {"critic_0", "critic_1"}), ("g", {"generator"})]:
        alone = Game(players=game.players, turns=(turns[name],), inputs=game.inputs)
        after, _ = jax.jit(make_step(alone))(state, batches(0))
        moved = {p for p in game.players if differ(state.players[p].params, after.players[p].params)}
        assert moved == movers


def test_streams_of_random_numbers_have_names():
    """Different names, draws and steps give different numbers; the same ones the same."""
    game, batches = recipes()["bigan"]
    state = init(game, quick(0), batches(0))
    view = lambda step, draw: View(
        game, game.turns[0]._replace(draw=draw), state, {}, Deal(batches(0), quick(step))
    )
    drawn = {
        (step, draw, name): jax.random.key_data(view(step, draw).keys(name)).tobytes()
        for step, draw, name in itertools.product((0, 1), (0, 1), ("latents", "latent", "d/r1"))
    }
    assert len(set(drawn.values())) == len(drawn)
    again = jax.random.key_data(view(1, 0).keys("latents")).tobytes()
    assert again == drawn[1, 0, "latents"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: two_players(quadratic("c", 1.0)), "unknown player 'c'; .*known: a, b"),
        (lambda: two_players(Turn("a", (), lambda view: 0.0)), "expected at least one mover in turn 'a'"),
        (
            lambda: two_players(quadratic("a", 1.0, every=0)),
            "expected turn 'a' every step or less, got every=0",
        ),
        (lambda: adaptive(target=2), r"target: expected -1 < target < 1, got 2"),
        (lambda: adaptive(images=0), "images: expected 0 < images < inf, got 0"),
        (lambda: adaptive(images=float("inf")), "images: expected 0 < images < inf, got inf"),
        (lambda: adaptive(interval=float("nan")), "interval: expected 1 <= interval < inf, got nan"),
        (lambda: adaptive(interval=0), "interval: expected 1 <= interval < inf, got 0"),
        (lambda: adaptive(start=2), r"start: expected a probability in \[0, 1\], got 2"),
        (lambda: get_penalty("path_length", decay=0), "decay: expected 0 < decay <= 1, got 0"),
    ],
)
def test_what_cannot_be_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_sampled_player_must_be_averaged():
    game, _ = recipes()["bigan"]
    plain = {**game.players, "generator": player(Net(2))}
    with pytest.raises(InputError, match="output: expected a player that is averaged, got 'generator'"):
        Game(players=plain, turns=game.turns, inputs=game.inputs, output=game.output)
    assert averaged(2).average is not None
