"""Networks that grow, in training: one program a size, and the same bits after an interruption in a fade."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import arrays, interrupt_at, same_arrays, small

from jaxgan import init, make_step
from jaxgan.config import ComputeConfig, DataConfig, EMAConfig, OptimizerConfig, PenaltyConfig
from jaxgan.games.optimizers import restarted
from jaxgan.models import ProGANConfig
from jaxgan.runs.opened import Run
from jaxgan.train.members import Members, set_up
from jaxgan.train.resume import resume
from jaxgan.train.run import train
from jaxgan.train.stops import Stopped

MODEL = ProGANConfig(width=4, base=64, start=4, stable_kimg=0.024, fade_kimg=0.032)
# Sizes 4 and 8. With 4 images a step the second is faded in from step 7 to 14.

PLAIN = OptimizerConfig(1e-2, b1=0.0, kind="sgd")  # Adam makes much of what rounding does to small gradients


def growing(tmp_path, **changes):
    adam = OptimizerConfig(1e-2, b1=0.0, b2=0.99)
    fields = {
        "data": DataConfig("mnist", "test", resolution=8),
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


@pytest.fixture
def traced(monkeypatch):
    """The stages of all games that are built, in order."""
    stages, build = [], Members._build

    def noted(self, values, stage=None):
        stages.append(stage)
        return build(self, values, stage)

    monkeypatch.setattr(Members, "_build", noted)
    return stages


def test_one_program_a_size_and_the_same_bits_after_an_interruption_in_a_fade(tmp_path, monkeypatch, traced):
    whole = train(growing(tmp_path / "whole"))
    assert traced == [None, 0, 1]  # at first the game of all sizes, which is sampled
    with monkeypatch.context() as patch:
        interrupt_at(patch, 9)
        with pytest.raises(Stopped) as stopped:
            train(growing(tmp_path / "parts"))
    part = stopped.value.folder
    assert 9 <= stopped.value.step <= 11
    assert 0 < float(MODEL.growth((8, 8, 1), 4).share(1, stopped.value.step)) < 1
    del traced[:]
    resume(part)
    assert traced == [None, 1]
    same_arrays(arrays(whole, 16), arrays(part, 16))
    assert whole.read("scores.json") == part.read("scores.json")
    for name in ("step-0000008.png", "step-0000016.png"):
        assert (whole.samples / name).read_bytes() == (part.samples / name).read_bytes()


def test_what_is_sampled_has_the_size_of_its_step(tmp_path):
    folder = train(growing(tmp_path, steps=8))
    for step in (4, 8):
        run = Run.at(folder.path, checkpoint=step)
        assert run.variables["growth"]["step"] == step - 1  # the last step that it was trained in: no mean
        x = run.sampler.by_seed(run.variables, range(20))
        assert x.shape == (20, 8, 8, 1)
        assert np.array_equal(x[:, ::2, ::2].repeat(2, 1).repeat(2, 2), x) == (step == 4)
        assert not np.array_equal(x[:, ::4, ::4].repeat(4, 1).repeat(4, 2), x)


def test_a_step_is_the_same_in_one_program_of_all_sizes(tmp_path):
    """That of pmap, and of whoever calls `advance` without a step."""
    members = set_up(growing(tmp_path, g_optimizer=PLAIN, d_optimizer=PLAIN))
    states = {}
    for own in (True, False):
        state, inputs = members.init(), members.inputs(0)
        for step in range(14):
            state, _ = members.advance(state, inputs, step if own else None)
        states[own] = jax.tree.leaves(members.member(state, 0).players)
    for a, b in zip(states[True], states[False], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_several_steps_a_program(tmp_path):
    """A program of 4 steps is that of the size at its end, as whose part the one before counts alone."""
    compute = ComputeConfig(devices=1, steps_per_dispatch=4)
    one = set_up(growing(tmp_path, g_optimizer=PLAIN, d_optimizer=PLAIN))
    four = set_up(growing(tmp_path, g_optimizer=PLAIN, d_optimizer=PLAIN, compute=compute, log_every=4))
    assert (one.repeat, four.repeat) == (1, 4)
    states = []
    for members in (one, four):
        state, inputs = members.init(), members.inputs(0)
        for step in range(0, 16, members.repeat):
            state, _ = members.advance(state, inputs, step)
        states.append(jax.tree.leaves(members.member(state, 0).players))
    for a, b in zip(*states, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_optimisers_forget_their_moments_at_every_change(tmp_path):
    """A size that stood still is not moved by steps of many learning rates when it comes."""
    moved = {}
    for restart in (True, False):
        config = growing(tmp_path, model=dataclasses.replace(MODEL, restart=restart), d_steps=2, steps=8)
        members = set_up(config)  # 8 images a step: the second size is faded in from step 4 on
        state, inputs = members.init(), members.inputs(0)
        for step in range(5):
            if step == 4:
                before = jax.tree.map(jnp.copy, members.member(state, 0).players)
            state, _ = members.advance(state, inputs, step)
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
    members = set_up(growing(tmp_path))
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
