"""Networks that grow, in training: one program a size, and the same bits after an interruption in a fade."""

import contextlib
import dataclasses
import shutil
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import arrays, copied, digits, same_arrays, small

from jaxgan import init, make_step
from jaxgan.config import ComputeConfig, Config, EMAConfig, OptimizerConfig, PenaltyConfig
from jaxgan.games.optimizers import restarted
from jaxgan.models import ProGANConfig
from jaxgan.runs.opened import Run
from jaxgan.train.members import set_up
from jaxgan.train.resume import resume
from jaxgan.train.run import train

pytestmark = pytest.mark.usefixtures("quick_keys")

MODEL = ProGANConfig(width=4, base=64, start=4, stable_kimg=0.024, fade_kimg=0.032)
# Sizes 4 and 8. With 4 images a step the second is faded in from step 7 to 14.

PLAIN = OptimizerConfig(1e-2, b1=0.0, kind="sgd")  # Adam makes much of what rounding does to small gradients


def growing(tmp_path, **changes):
    adam = OptimizerConfig(1e-2, b1=0.0, b2=0.99)
    fields = {
        "data": digits(tmp_path),
        "model": MODEL,
        "g_optimizer": adam,
        "d_optimizer": adam,
        "penalty": PenaltyConfig((("r1", 0.1),)),
        "batch_size": 4,
        "steps": 16,
        "log_every": 1,
        "sample_every": 8,
        "checkpoint_every": 4,
        "evaluate_every": 16,
        "quick_n": 150,
        "final_n": 150,
        "ema": EMAConfig(0.5, ramp_up=False),
    }
    return small(tmp_path, "progan-cifar10", **fields | changes)


@contextlib.contextmanager
def traced():
    """The stages of all games that are built, in order."""
    stages, build = [], Config.build

    def noted(self, spec, stage=None):
        stages.append(stage)
        return build(self, spec, stage)

    with mock.patch.object(Config, "build", noted):
        yield stages


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 16 steps, and the stages of the games that it has built."""
    with traced() as stages:
        lean = PenaltyConfig()  # without any it compiles quickly
        return train(growing(tmp_path_factory.mktemp("whole"), penalty=lean)), stages


def test_one_program_a_size_and_the_same_bits_after_an_interruption_in_a_fade(whole, tmp_path):
    whole, stages = whole
    assert stages == [None, 0, 1]  # at first the game of all sizes, which is sampled
    part = copied(whole, tmp_path)
    shutil.rmtree(part.path / "checkpoints" / "16")  # as after a kill
    part.update(status="running")
    for name in ("scores.json", "samples/step-0000016.png"):
        (part.path / name).unlink()
    assert 0 < float(MODEL.growth((8, 8, 1), 4).share(1, 12)) < 1
    with traced() as stages:
        resume(part)
    assert stages == [None, 1]
    assert [record["step"] for record in part.records()] == list(range(1, 17))
    same_arrays(arrays(whole, 16), arrays(part, 16))
    assert whole.read("scores.json") == part.read("scores.json")
    for name in ("step-0000008.png", "step-0000016.png"):
        assert (whole.samples / name).read_bytes() == (part.samples / name).read_bytes()


def test_what_is_sampled_has_the_size_of_its_step(whole):
    folder, _ = whole
    run = Run.at(folder.path, checkpoint=12)
    assert run.variables["growth"]["step"] == 11  # the last step that it was trained in: no mean
    for step in (3, 7, 11):
        x = run.sampler.by_seed(run.variables | {"growth": {"step": jnp.asarray(step)}}, range(20))
        assert x.shape == (20, 8, 8, 1)
        assert np.array_equal(x[:, ::2, ::2].repeat(2, 1).repeat(2, 2), x) == (step == 3)
        assert not np.array_equal(x[:, ::4, ::4].repeat(4, 1).repeat(4, 2), x)


STEPS = 16


def stepped(members, own=True):
    """The players after some steps: in programs of their sizes, or of all sizes."""
    state, inputs = members.init(), members.inputs(0)
    for step in range(0, STEPS, members.repeat):
        state, _ = members.advance(state, inputs, step if own else None)
    return jax.tree.leaves(members.member(state, 0).players)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Members whose rounding stays small, and their players after some steps."""
    members = set_up(growing(tmp_path_factory.mktemp("plain"), g_optimizer=PLAIN, d_optimizer=PLAIN))
    return members, stepped(members)


def test_a_step_is_the_same_in_one_program_of_all_sizes(plain):
    """That of pmap, and of whoever calls `advance` without a step."""
    members, players = plain
    for a, b in zip(players, stepped(members, own=False), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_several_steps_a_program(plain, tmp_path):
    """A program of 4 steps is that of the size at its end, as whose part the one before counts alone."""
    compute = ComputeConfig(devices=1, steps_per_dispatch=4)
    four = set_up(growing(tmp_path, g_optimizer=PLAIN, d_optimizer=PLAIN, compute=compute, log_every=4))
    one, players = plain
    assert (one.repeat, four.repeat) == (1, 4)
    for a, b in zip(players, stepped(four), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_optimisers_forget_their_moments_at_every_change(tmp_path):
    """A size that stood still is not moved by steps of many learning rates when it comes."""
    moved = {}
    for restart in (True, False):
        model = dataclasses.replace(MODEL, restart=restart)
        config = growing(tmp_path, model=model, penalty=PenaltyConfig(), d_steps=2, steps=8)
        members = set_up(config)  # 8 images a step: the second size is faded in from step 4 on
        state, inputs = members.init(), members.inputs(0)
        for step in range(5):
            if step == 4:
                before = jax.tree.map(jnp.copy, members.member(state, 0).players)
            state, _ = members.advance(state, inputs)  # in one program of both sizes
        after = members.member(state, 0).players
        moved[restart] = {
            name: float(
                jnp.abs(
                    after[name].params[part]["first"]["kernel"] - before[name].params[part]["first"]["kernel"]
                ).max()
            )
            for name, part in (("generator", "blocks_1"), ("discriminator", "blocks_0"))
        }
    # The first update is the learning rate, the second at most its sqrt(2).
    for name, most, without in (("generator", 1.01e-2, 2.1e-2), ("discriminator", 2.43e-2, 2.6e-2)):
        assert 0 < moved[True][name] <= most
        assert moved[False][name] > without


def test_a_restarted_optimiser_is_a_new_one():
    params, gradients = jnp.ones(3), np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    own, plain = restarted(optax.adam(0.1), [2, 5]), optax.adam(0.1)
    state = own.init(params)
    for number, gradient in enumerate(gradients):
        if number in (0, 2, 5):
            fresh = plain.init(params)
        got, state = own.update(jnp.asarray(gradient), state, params)
        expected, fresh = plain.update(jnp.asarray(gradient), fresh, params)
        np.testing.assert_array_equal(got, expected)


def test_reals_are_shown_as_coarse_as_fakes(tmp_path):
    """The critic judges them so in a fade, too."""
    members = set_up(growing(tmp_path, penalty=PenaltyConfig()))
    game = members.config.build((8, 8, 1), stage=1)
    batch = {"image": jnp.asarray(np.random.default_rng(0).normal(size=(4, 8, 8, 1)), jnp.float32)}
    start = jax.jit(lambda batch: init(game, jax.random.key(0), batch))
    state = dataclasses.replace(start(batch), step=jnp.asarray(10))
    _, metrics = jax.jit(make_step(game))(state, batch)
    critic, own = game.players["discriminator"].module, state.players["discriminator"]
    growth = MODEL.growth((8, 8, 1), 4)
    assert 0 < growth.share(1, 10) < 1
    logits = lambda x: critic.apply({"params": own.params, **own.stats}, x, step=10)
    judge = jax.jit(lambda x: logits(x).mean())
    shown = growth.detail(1, 10, batch["image"])
    np.testing.assert_allclose(metrics["d/real_logits"], judge(shown), atol=1e-5)
    assert abs(metrics["d/real_logits"] - judge(batch["image"])) > 1e-4
