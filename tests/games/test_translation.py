"""Restoration, pix2pix and CycleGAN: what moves when, what the mask keeps, and the pool of images made before."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import LOSSES, InputError, Player, ema_schedule, init, make_step
from jaxgan.common.keys import quick
from jaxgan.config import Config, DataConfig, OptimizerConfig, with_fields
from jaxgan.config.games import plain_spec, spec_for
from jaxgan.config.looked_at import unread
from jaxgan.games import cycle_gan, laws, translation
from jaxgan.games.pairs.pool import empty_pool, through_pool
from jaxgan.models import Pix2PixConfig
from jaxgan.models.translators.gated import partial_conv
from jaxgan.penalties import get_penalty


class Net(nn.Module):
    channels: int = 1
    judges: bool = False

    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        y = nn.Conv(self.channels, (3, 3))(x)
        return y.reshape(len(x), -1) if self.judges else jnp.tanh(y)


def player(judges=False, average=True):
    return Player(Net(judges=judges), optax.sgd(0.1), None if judges or not average else ema_schedule())


def batch(seed=0, n=4, mask=True, names=("image", "input")):
    rng = np.random.default_rng(seed)
    found = {name: rng.uniform(-1, 1, (n, 6, 6, 1)) for name in names}
    if mask:
        found["mask"] = rng.integers(0, 2, (n, 6, 6, 1))
        found["input"] = found["input"] * (1 - found["mask"])
    return {name: jnp.asarray(x, jnp.float32) for name, x in found.items()}


GAME = {"pixel": 10.0, "penalties": {"r1": (0.1, get_penalty("r1"))}}


def test_games_obey_every_law():
    game = translation(player(), player(True), LOSSES["hinge"](), **GAME)
    cycle = cycle_gan(
        player(),
        player(),
        player(True),
        player(True),
        LOSSES["least_squares"](),
        pool=(50, 4, (6, 6, 1), (6, 6, 1)),
    )
    two = lambda i: batch(i, mask=False, names=("a", "b"))
    for own, batches in ((game, map(batch, range(3))), (cycle, map(two, range(3)))):
        assert [v for v in laws.check(own, list(batches)) if v.outcome == "broken"] == []


def test_pixels_alone_at_the_start_and_what_is_known_is_kept():
    plain = translation(player(), None, None, pixel=10.0)
    critic = Player(Net(judges=True), optax.adam(0.1))
    gated = translation(player(), critic, LOSSES["hinge"](), pixel_steps=1, **GAME)
    x, key = batch(), quick(1)
    state = init(gated, key, x)
    step = jax.jit(make_step(gated))
    first, metrics = step(state, x)
    same = lambda a, b: all(jax.tree.leaves(jax.tree.map(lambda x, y: bool((x == y).all()), a, b)))
    assert same(first.players["critic"], state.players["critic"])  # its Adam counts no update either
    second, _ = step(first, x)
    assert not same(second.players["critic"].params, first.players["critic"].params)
    # the same translator, moved by pixels alone, in a game without a critic
    alone = init(plain, key, x)
    alone = alone.replace(players={"translator": state.players["translator"]})
    moved, own = jax.jit(make_step(plain))(alone, x)
    for a, b in zip(*(jax.tree.leaves(s.players["translator"].params) for s in (moved, first)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert own["g/pixel"] == pytest.approx(float(metrics["g/pixel"]), rel=1e-5)
    # of the hole alone, and the rest as it came
    direction = gated.translations["forward"]
    made = np.asarray(direction.make(lambda given: jnp.full((4, 6, 6, 1), 9.0), x))
    lost = np.asarray(x["mask"]) == 1
    assert (made[lost] == 9).all()
    np.testing.assert_array_equal(made[~lost], np.asarray(x["input"])[~lost])
    net = lambda given: Net().apply({"params": state.players["translator"].params}, given)
    wrong = np.abs(np.asarray(direction.make(net, x)) - np.asarray(x["image"]))
    each = [w[m].mean() for w, m in zip(wrong, lost, strict=True)]
    assert float(metrics["g/pixel"]) == pytest.approx(np.mean(each), rel=1e-5)


class Look(nn.Module):
    """A tiny network trained before."""

    @nn.compact
    def __call__(self, x, *, train=False):
        kernel = self.variable(
            "frozen", "kernel", lambda: jnp.linspace(-1, 1, 9 * 3).reshape(3, 3, 1, 3)
        ).value
        first = jax.lax.conv_general_dilated(
            x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return [first, jnp.square(first.mean((1, 2)))]


@pytest.mark.parametrize("as_player", [True, False])
def test_images_are_compared_in_feature_maps_too(as_player):
    """The term is the mean absolute difference of the maps, weighed; what looks stays as it is."""
    x, key = batch(mask=False), quick(1)
    look = lambda images: Look().apply(Look().init(key, images), images)
    features = Player(Look(), optax.set_to_zero()) if as_player else look
    game = translation(player(), pixel=2.0, features=features, perceptual=5.0)
    state = init(game, key, x)
    after, metrics = jax.jit(make_step(game))(state, x)
    made = Net().apply({"params": state.players["translator"].params}, x["input"])
    unlike = [float(jnp.abs(a - b).mean()) for a, b in zip(look(made), look(x["image"]), strict=True)]
    assert float(metrics["g/perceptual"]) == pytest.approx(np.mean(unlike), rel=1e-5)
    assert float(metrics["g/loss"]) == pytest.approx(
        2 * float(metrics["g/pixel"]) + 5 * np.mean(unlike), rel=1e-5
    )
    plain = init(translation(player(), pixel=2.0), key, x)
    plain = plain.replace(players={"translator": state.players["translator"]})
    other, _ = jax.jit(make_step(translation(player(), pixel=2.0)))(plain, x)
    moved, alone = (s.players["translator"].params["Conv_0"]["kernel"] for s in (after, other))
    assert (np.asarray(moved) != np.asarray(alone)).any()
    if as_player:
        same = jax.tree.map(np.array_equal, state.players["features"].stats, after.players["features"].stats)
        assert all(jax.tree.leaves(same))


def test_a_critic_of_pairs_sees_both_images():
    game = translation(player(), player(True), LOSSES["hinge"](), pixel=1.0)
    shapes = game.inputs(batch())
    assert shapes["critic"][0].shape == (2, 6, 6, 3)  # input, mask and image
    assert shapes["translator"][0].shape == (2, 6, 6, 2)
    smaller = batch(mask=False) | {"input": jnp.zeros((4, 3, 3, 1))}
    assert translation(player(), player(True), LOSSES["hinge"]()).inputs(smaller)["critic"][0].shape == (
        2,
        6,
        6,
        2,
    )
    with pytest.raises(InputError, match="translator: expected images of the target's shape"):
        jax.eval_shape(make_step(game), init(game, quick(0), smaller), smaller)


def test_the_pool_fills_then_shows_old_images_in_half_of_the_cases():
    pool, shown = empty_pool(4, (1,), 10), []
    assert pool["images"].shape == (4, 3, 1)  # 12 places, three for each example
    step = jax.jit(through_pool)
    for i in range(200):
        new = jnp.full((4, 1), float(i))
        out, pool = step(pool, new, jax.random.split(quick(i), 4))
        shown.append(np.asarray(out)[:, 0])
    shown = np.stack(shown)
    assert (shown[:3] == np.arange(3)[:, None]).all()  # while it fills, all are new
    old = shown[3:] < np.arange(3, 200)[:, None]
    assert 0.4 < old.mean() < 0.6
    assert (shown <= np.arange(200)[:, None]).all()
    for column in shown.T:  # an old image that was shown has been taken out
        assert np.unique(column, return_counts=True)[1].max() <= 2
    # each example has places of its own: half of the batch sees what it sees in the whole
    whole, half = empty_pool(4, (1,), 8), empty_pool(2, (1,), 4)
    for i in range(20):
        keys, new = jax.random.split(quick(i), 4), jnp.arange(4.0)[:, None] + 10 * i
        a, whole = step(whole, new, keys)
        b, half = step(half, new[:2], keys[:2])
        np.testing.assert_array_equal(a[:2], b)


def test_the_rate_of_cyclegan_stays_and_falls():
    """The factors of the authors' code at epochs 0, 98, 99, 100, 149 and 199 of 100 + 100, an update an epoch."""
    adam = OptimizerConfig(1.0, kind="sgd", b1=0.0, schedule="linear", hold=0.5).build(200)
    state, found = adam.init(jnp.zeros(())), []
    update = jax.jit(lambda state: adam.update(jnp.ones(()), state))
    for _ in range(200):
        step, state = update(state)
        found.append(-float(step))
    expected = [1.0, 1.0, 1.0, 100 / 101, 51 / 101, 1 / 101]
    assert [found[i] for i in (0, 98, 99, 100, 149, 199)] == pytest.approx(expected, abs=1e-6)
    with pytest.raises(InputError, match="optimizer.hold: expected another schedule than constant"):
        OptimizerConfig(hold=0.5).build(200)


def test_partial_convolutions_look_at_what_is_known():
    """By hand, of Liu et al.'s formula: a window's weight is the share of it that is known."""
    x = np.asarray([[1, 2, 3, 1], [0, 1, -1, 2], [2, 0.5, 1, 0], [1, 1, 4, 3]], np.float32)
    known = np.zeros((4, 4), np.float32)
    known[:2, :2] = 1
    kernel = np.asarray([[0.1, 0.2, 0.1], [0, 0.5, -0.3], [0.2, 0.1, 0]], np.float32)
    y, after = partial_conv(
        x[None, ..., None], known[None, ..., None], kernel[..., None, None], jnp.asarray([0.1])
    )
    expected = [[-0.125, 2.575, 1, 0], [0.325, 2.35, 1, 0], [0.55, 1, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(y[0, ..., 0], expected, atol=1e-6)
    np.testing.assert_array_equal(after[0, ..., 0], np.pad(np.ones((3, 3)), ((0, 1), (0, 1))))


def test_a_configuration_says_what_its_game_needs():
    config = Config(
        game="translation", model=Pix2PixConfig(width=2, halvings=2), data=DataConfig(degrade=("denoise",))
    )
    assert set(config.build((8, 8, 1)).players) == {"translator", "critic"}
    pixels = with_fields(config, game_options=(("adversarial", 0.0),))
    assert set(pixels.build((8, 8, 1)).players) == {"translator"}
    for changes, said in (
        ({"game_options": (("pixels", 1.0),)}, "option of game 'translation'"),
        ({"game_options": (("pixel", -1.0),)}, "game_options.pixel"),
        ({"model": Config().model}, "networks that take images"),
        ({"d_steps": 2}, "d_steps: expected 1"),
        ({"game": "translate"}, "unknown game"),
        ({"game": "gan"}, "data.degrade: expected the game 'translation' beside it"),
        ({"game": "vae"}, "data.degrade: expected the game 'translation' beside it"),
        (
            {"game": "gan", "data.degrade": (), "game_options": (("pixel", 1.0),)},
            "game_options: expected none",
        ),
        ({"data.degrade": ("super-resolution",)}, "srresnet enlarges"),
    ):
        with pytest.raises(InputError) as error:
            with_fields(config, **changes).build((8, 8, 1))
        assert said in str(error.value)
    pooled = Config(game="cycle_gan", model=Pix2PixConfig(translator="resnet", width=2, blocks=1))
    for name, value in (("compute.how", "pmap"), ("compute.how", "shard_map"), ("compute.microbatches", 2)):
        with pytest.raises(InputError, match=f"{name}: expected .* with image pools"):
            with_fields(pooled, **{name: value}).build((8, 8, 1))
    with_fields(pooled, **{"compute.how": "pmap", "game_options": (("pool", 0.0),)}).build((8, 8, 1))
    unused = unread(
        config, spec_for(config, (8, 8, 1)), {"--latent.dim", "--loss", "--ema.decay", "--augment"}
    )
    assert unused == ["--augment", "--latent.dim"]
    bare = with_fields(config, **{"data.degrade": ()})
    for name in ("gan", "vae", "bigan"):
        with pytest.raises(
            InputError, match=f"images of one kind for the game '{name}', got pairs; the presets pix2pix"
        ):
            with_fields(bare, game=name).build(spec_for(bare, (8, 8, 1)))
    with pytest.raises(InputError, match=r"name a degradation \(--data.degrade denoise\)"):
        bare.build(plain_spec((8, 8, 1)))
