"""Members side by side are the runs that they would be alone, whatever is beside them."""

import dataclasses

import jax
import numpy as np
import pytest
from helpers import digits, small, small_dcgan

from jaxgan import InputError, init, make_step
from jaxgan.config import Config
from jaxgan.config.data import open_data
from jaxgan.config.fields import with_fields
from jaxgan.config.groups import ComputeConfig, DataConfig
from jaxgan.config.moves import OptimizerConfig, PenaltyConfig
from jaxgan.data import make_pipeline
from jaxgan.metrics import Evaluation
from jaxgan.metrics.choice import better_of
from jaxgan.models import MLPConfig
from jaxgan.runs import evaluation
from jaxgan.train import members as set_up_module
from jaxgan.train.members import Members, set_up
from jaxgan.train.recorder import run_members
from jaxgan.train.run import train

LAST_SEED = 2**32 - 1
STEPS = 6
# A large eps: Adam's own would amplify what is only rounding.
ADAM = OptimizerConfig(1e-3, b1=0.5, eps=1e-2)


def points(tmp_path, **changes):
    """A fully connected GAN on the ring: lazy penalties, batch norm, two steps in a dispatch."""
    changes = {
        "data": DataConfig("ring"),
        "model": MLPConfig(g_widths=(8, 8), d_widths=(8,), g_batch_norm=True),
        "penalty": PenaltyConfig((("r1", 0.1), ("gradient_penalty", 1.0)), every=2),
        "g_optimizer": ADAM,
        "d_optimizer": ADAM,
        "compute": ComputeConfig(1, steps_per_dispatch=2),
    } | changes
    return small(tmp_path, "toy-ring", **changes)


def plain(tmp_path, **changes):
    """As little as is compiled quickly."""
    model = MLPConfig(g_widths=(8,), d_widths=(8,))
    base = {"penalty": PenaltyConfig(), "loss": "non_saturating", "model": model}
    return points(tmp_path, **(base | changes))


def images(tmp_path, **changes):
    """A DCGAN with batch norm in both players."""
    data = digits(tmp_path)
    config = small_dcgan(tmp_path, batch_size=4, penalty=PenaltyConfig(), data=data, **changes)
    return dataclasses.replace(config, g_optimizer=ADAM, d_optimizer=ADAM)


def trained(config, seeds, steps=STEPS, **options):
    """The members' states and metrics [member, step] after a few steps."""
    group = Members(config, seeds, **options)
    states, inputs, metrics = group.init(), group.inputs(0), []
    for _ in range(steps // group.repeat):
        states, measured = group.advance(states, inputs)
        metrics.append(jax.device_get(measured))
    series = {name: np.concatenate([m[name] for m in metrics], 1) for name in metrics[0]}
    members = [jax.device_get(group.member(states, k)) for k in range(len(seeds))]
    return [(state, {name: values[k] for name, values in series.items()}) for k, state in enumerate(members)]


def alone(config, seed, steps=STEPS):
    """The same of one seed, step by step and without the loop's program."""
    source = open_data(config)
    game = config.build(source.shape, source.n_classes)
    options = {"batch_size": config.batch_size, "d_steps": config.d_steps, "seed": seed}
    options |= {"flip": config.data.flip, "pipeline": config.data.pipeline}
    pipeline, step = make_pipeline(source, **options), make_step(game)
    one = jax.jit(lambda state, inputs: step(state, pipeline.prepare(inputs, state.step)))
    state, inputs, metrics = first_state(config, seed), pipeline.inputs(0), []
    for _ in range(steps):
        state, measured = one(state, next(inputs))
        metrics.append(jax.device_get(measured))
    return jax.device_get(state), {name: np.stack([m[name] for m in metrics]) for name in metrics[0]}


def first_state(config, seed):
    source = open_data(config)
    game = config.build(source.shape, source.n_classes)
    return init(game, jax.random.key(seed), source.spec.batch())


def close(a, b, tolerance):
    """Every array equal, relative to its largest entry; integers and keys exactly."""
    key = lambda x: jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x
    leaves, others = jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b)
    assert len(leaves) == len(others)
    for (path, x), y in zip(leaves, others, strict=True):
        x, y = np.asarray(key(x)), np.asarray(key(y))
        if np.issubdtype(x.dtype, np.integer):
            np.testing.assert_array_equal(x, y, jax.tree_util.keystr(path))
        else:
            scale = max(float(np.abs(x).max(initial=0)), 1e-3)
            assert np.abs(x - y).max(initial=0) <= tolerance * scale, jax.tree_util.keystr(path)


def same(a, b):
    for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b), strict=True):
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes(), jax.tree_util.keystr(path)


# --- the members are the runs --------------------------------------------------------------------


@pytest.mark.parametrize("make", [points, images])
def test_members_are_single_runs_mapped_or_in_a_loop(tmp_path, make):
    config = make(tmp_path)
    steps = STEPS if make is points else 3
    mapped = trained(config, [0, LAST_SEED], steps, how="vmap", devices=1)
    looped = trained(config, [0, LAST_SEED], steps, how="loop")
    for ours, theirs in zip(mapped, looped, strict=True):
        close(ours, theirs, 1e-6 if make is points else 1e-5)
    single = alone(config, LAST_SEED, steps)
    close(single, looped[1], 1e-6)
    close(single, mapped[1], 1e-5)
    loss = lambda member: member[1]["d/loss"]
    assert np.abs(loss(mapped[0]) - loss(mapped[1])).min() > 1e-3


def test_first_states_are_those_of_single_runs_bit_for_bit(tmp_path):
    config = plain(tmp_path)
    group = Members(config, [3, LAST_SEED])
    plain_key = lambda state: state.replace(key=jax.random.key_data(state.key))
    for k, seed in enumerate(group.seeds):
        state = plain_key(first_state(config, seed))
        same(state, plain_key(group.init_member(k)))
        same(state, plain_key(set_up(with_fields(config, seed=seed)).init_member(0)))


def test_streamed_members_have_their_own_order_and_flips(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels)
    data = DataConfig(f"npz:{tmp_path / 'a.npz'}", flip=True, pipeline="stream")
    config = plain(tmp_path, data=data, compute=ComputeConfig(1))
    group = Members(config, [3, 4])
    assert group.how == "loop"
    looped = trained(config, [3, 4], steps=3)
    close(alone(config, 4, steps=3), looped[1], 1e-6)
    with pytest.raises(InputError, match="how: expected 'loop' for data that is streamed"):
        Members(config, [3, 4], how="vmap")


def test_a_member_does_not_depend_on_the_others(tmp_path):
    config = plain(tmp_path)
    pair, triple = (trained(config, seeds, how="vmap", devices=1) for seeds in ([3, 1], [1, 7, 9]))
    close(pair[1], triple[0], 1e-6)


def test_members_on_several_devices_are_the_same(tmp_path):
    config = plain(tmp_path, model=MLPConfig(g_widths=(8,), d_widths=(8,), g_batch_norm=True))
    hyper = {"g_optimizer.learning_rate": [1e-3, 2e-3, 3e-3, 4e-3]}
    one, two, four = (trained(config, [4, 5, 6, 7], how="vmap", devices=n, hyper=hyper) for n in (1, 2, 4))
    for k in range(4):
        close(one[k], two[k], 1e-6)
        close(one[k], four[k], 1e-6)


def test_devices_share_the_members_evenly(tmp_path):
    config = plain(tmp_path)
    size = lambda n, **options: getattr(Members(config, range(n), how="vmap", **options).mesh, "size", 1)
    assert [size(n) for n in (1, 2, 3, 5, 6, 8, 9)] == [1, 2, 3, 1, 3, 4, 3]
    assert size(6, devices=2) == 2
    group = Members(config, range(8), how="vmap")
    assert len(group.init().step.sharding.device_set) == 4
    assert len(group.member(group.init(), 3).step.sharding.device_set) == 1


def test_what_is_chosen(tmp_path):
    assert Members(plain(tmp_path), [0]).how == "vmap"
    assert Members(images(tmp_path), [0]).how == "loop"  # convolutions on a CPU


# --- hyper-parameters ----------------------------------------------------------------------------

HYPER = {
    "g_optimizer.learning_rate": [1e-3, 3e-3, 1e-3],
    "d_optimizer.learning_rate": [2e-3, 1e-3, 1e-3],
    "d_optimizer.b1": [0.5, 0.9, 0.0],
    "penalty.weights.r1": [0.1, 1.0, 0.0],
    "label_smoothing": [0.0, 0.2, 0.1],
    "ema.decay": [0.5, 0.9, 0.0],
    "dynamics.instance_noise": [0.1, 0.5, 0.3],
    "dynamics.label_flip": [0.1, 0.3, 0.2],
    "dynamics.top_k": [0.9, 0.5, 1.0],
}


def counted(monkeypatch):
    """How often a step is traced."""
    traces, real = [], Config.step

    def counting(self, game):
        traces.append(game)
        return real(self, game)

    monkeypatch.setattr(Config, "step", counting)
    return traces


def test_numbers_as_inputs_are_numbers_as_constants(tmp_path, monkeypatch):
    config = plain(tmp_path, penalty=PenaltyConfig((("r1", 0.3),)), ema=dataclasses.replace(
        plain(tmp_path).ema, ramp_up=False
    ), steps=2 * STEPS)  # fmt: skip
    traces = counted(monkeypatch)
    mapped = trained(config, [1, 1, 2], how="vmap", devices=1, hyper=HYPER)
    assert len(traces) == 1, "one program for all values"
    members = trained(config, [1, 1, 2], how="loop", hyper=HYPER)
    assert len(traces) == 2, "one program that goes round"
    single = alone(with_fields(config, **{name: values[1] for name, values in HYPER.items()}), 1)
    close(single, members[1], 2e-6)
    close(single, mapped[1], 2e-6)
    close(members[0], mapped[0], 2e-6)
    kernel = lambda member: member[0].players["discriminator"].params["out"]["kernel"]
    assert np.abs(kernel(members[0]) - kernel(members[1])).max() > 1e-3


def test_b2_as_an_input_is_b2_to_float32(tmp_path):
    config = plain(tmp_path)
    members = trained(config, [1, 1], how="vmap", devices=1, hyper={"d_optimizer.b2": [0.9, 0.999]})
    close(alone(with_fields(config, **{"d_optimizer.b2": 0.999}), 1), members[1], 1e-4)


# --- what run_members says -----------------------------------------------------------------------


@pytest.fixture
def same_fakes(monkeypatch):
    """Scores on the way and at the end are of the same fakes, and so equal."""
    monkeypatch.setattr(evaluation, "QUICK_SEED", evaluation.FIRST_SEED)


@pytest.mark.usefixtures("same_fakes")
def test_records_bests_and_ends(tmp_path):
    config = plain(tmp_path, steps=50, evaluate_every=20, sample_every=10)
    seen = []
    members = run_members(config, [0, 7], devices=1, on_record=seen.append)
    assert seen == [20, 40, 50]
    for member in members:
        assert (member.status, member.diverged_at) == ("finished", None)
        assert [r["step"] for r in member.curve] == [20, 40, 50]
        assert [r["images"] for r in member.curve] == [160, 320, 400]
        assert {"modes", "high_quality", "d/loss", "g/grad_norm"} <= member.curve[0].keys()
        scores = [r["score"] for r in member.curve]
        assert scores == [r["mode_kl"] for r in member.curve]
        best = None
        for r in member.curve:
            best = better_of(best, r["step"], r["score"], r["score_error"])
        assert member.best["step"] == best["step"]
        assert member.best["mode_kl"] == pytest.approx(best["score"], rel=1e-6)
        assert member.final["mode_kl"] == pytest.approx(scores[-1], rel=1e-6)
        assert member.samples.shape == (2500, 2)
    run = train(with_fields(config, seed=7))
    written, records = run.read("scores.json"), run.records()
    for name, value in members[1].final.items():
        assert value == pytest.approx(written["final"]["scores"][name]["value"], rel=1e-3), name
    assert members[1].best["step"] == written["best"]["step"]
    means = [r["d/loss"] for r in records if r["step"] in (10, 20)]
    assert members[1].curve[0]["d/loss"] == pytest.approx(np.mean(means), rel=1e-4)


@pytest.mark.usefixtures("same_fakes")
def test_the_best_is_kept_and_not_what_became_of_it(tmp_path, monkeypatch):
    """In a loop the states' own buffers are used again, and a best that is only pointed at would be lost."""
    real, falling, seen = set_up_module.make_evaluator, iter([2.0, 1.0, 3.0]), []

    class Scripted:
        main, cheap = "sliced_wasserstein", True

        def __init__(self, source, *_):
            self._real = real(source)

        def __call__(self, generate, n):
            scores = dict(self._real(generate, n).scores)
            seen.append(scores[self.main].value)
            scores[self.main] = dataclasses.replace(scores[self.main], value=next(falling, seen[-1]))
            return Evaluation(scores)

    monkeypatch.setattr(set_up_module, "make_evaluator", Scripted)
    config = plain(tmp_path, steps=30, evaluate_every=10)
    (member,) = run_members(config, [0], how="loop")
    assert member.best["step"] == 20
    assert member.best["sliced_wasserstein"] == pytest.approx(seen[1], rel=1e-6)
    assert member.final["sliced_wasserstein"] == pytest.approx(seen[2], rel=1e-6)


@pytest.mark.usefixtures("same_fakes")
def test_images_are_scored_and_kept(tmp_path):
    config = small(tmp_path, steps=4, evaluate_every=4, log_every=4, sample_every=4, checkpoint_every=4)
    (member,) = run_members(config, [0])
    assert (member.samples.shape, member.samples.dtype) == ((64, 28, 28, 1), np.uint8)
    assert {"fd_mnist_cnn", "recall", "class_kl"} <= member.final.keys()
    assert member.curve[0]["score"] == pytest.approx(member.final["fd_mnist_cnn"], rel=1e-6)


# --- members that diverge ------------------------------------------------------------------------


def test_a_diverging_member_disturbs_no_other(tmp_path):
    config = plain(tmp_path, steps=20, evaluate_every=10)
    rate = "d_optimizer.learning_rate"
    members = run_members(config, [0, 1, 2], devices=1, hyper={rate: [1e-3, 1e30, 1e-3]})
    calm = run_members(config, [0, 5, 2], devices=1, hyper={rate: [1e-3] * 3})
    assert [m.status for m in members] == ["finished", "diverged", "finished"]
    (_, metrics) = alone(with_fields(config, **{rate: 1e30}), 1)
    finite = np.all([np.isfinite(values) for values in metrics.values()], 0)
    lost = members[1]
    assert not finite.all()
    assert lost.diverged_at == 1 + int(np.argmin(finite))
    assert (lost.curve, lost.final, lost.best, lost.samples) == ([], {}, None, None)
    for k in (0, 2):
        assert (members[k].curve, members[k].final) == (calm[k].curve, calm[k].final)
        same(members[k].samples, calm[k].samples)


def test_the_first_step_that_is_not_finite_is_named(tmp_path, monkeypatch):
    config, real, done = plain(tmp_path, steps=40), Members.advance, []

    def poisoned(self, states, inputs, step):
        states, metrics = real(self, states, inputs, step)
        done.append(self.repeat)
        loss = np.array(metrics["g/loss"])
        if sum(done) == 28:  # steps 27 and 28
            loss[1, 0], loss[2, 1] = np.nan, -np.inf
        return states, metrics | {"g/loss": loss}

    monkeypatch.setattr(Members, "advance", poisoned)
    members = run_members(config, [0, 1, 2], devices=1)
    assert [m.diverged_at for m in members] == [None, 27, 28]
    assert [len(m.curve) for m in members] == [2, 1, 1]
    assert members[1].best["step"] == 20


# --- what is refused, and what must not happen ---------------------------------------------------


@pytest.mark.parametrize(("how", "devices"), [("vmap", 1), ("vmap", 2), ("loop", None)])
def test_nothing_is_sent_while_training(tmp_path, how, devices):
    group = Members(plain(tmp_path), [0, 1], how=how, devices=devices, hyper={"ema.decay": [0.5, 0.6]})
    states, inputs = group.init(), group.inputs(0)
    states, _ = group.advance(states, inputs)
    with jax.transfer_guard("disallow"):
        group.advance(states, inputs)


def test_bad_members_are_named(tmp_path):
    rate = "g_optimizer.learning_rate"
    cases = [
        ({"seeds": []}, "seeds: expected at least one, got none"),
        ({"seeds": [1, 2, 1]}, r"seeds: expected different ones, got \[1, 2, 1\]"),
        ({"seeds": [0, 2**32]}, "seeds: expected integers from 0 to 4294967295"),
        ({"seeds": [-1]}, "seeds: expected integers from 0 to 4294967295"),
        ({"seeds": [0.5]}, "seeds: expected integers from 0 to 4294967295"),
        ({"how": "map"}, "how: expected one of auto, vmap, loop, got 'map'"),
        ({"how": "vmap", "devices": 3}, "devices: expected a divisor of 2 members, got 3"),
        ({"how": "vmap", "devices": 0}, "devices: expected at least 1, got 0"),
        ({"how": "vmap", "devices": 5}, "devices: expected at most 4 local devices, got 5"),
        ({"hyper": {rate: [1e-3]}}, f"hyper: expected one {rate} for each of 2 members, got 1"),
        ({"hyper": {rate: [1e-3, -1]}}, f"{rate}: expected a positive number, got -1"),
        ({"hyper": {"g_optimizer.rate": [1, 2]}}, r"unknown field 'g_optimizer.rate'"),
        ({"hyper": {"penalty.weights.r1": [1, 2]}}, "unknown field 'penalty.weights.r1'"),
        ({"hyper": {"steps": [10, 20]}}, "hyper: expected fields that are real numbers, got steps"),
        ({"hyper": {"loss": ["hinge", "lsgan"]}}, "hyper: expected fields that are real numbers, got loss"),
        ({"hyper": {"data.flip": [0, 1]}}, "hyper: expected fields of the loss, .* got data.flip"),
        ({"hyper": {"model.g_widths": [8, 9]}}, "hyper: expected fields of the loss, .* got model.g_widths"),
        ({"hyper": {"ema": [0.9, 0.99]}}, "hyper: expected fields that are real numbers, got ema"),
        ({"hyper": {rate: ["fast", "slow"]}}, "hyper: expected a number for each member, got g_optimizer"),
        ({"hyper": {"d_optimizer.clip_weights": [0, 1]}}, "hyper: .* decides what is computed"),
    ]  # fmt: skip
    for options, message in cases:
        with pytest.raises(InputError, match=message):
            Members(plain(tmp_path), **({"seeds": [0, 1]} | options))


def test_what_only_the_step_refuses_is_one_line_too(tmp_path):
    group = Members(
        plain(tmp_path), [0, 1], hyper={"dynamics.top_k_start": [0.1, 0.2], "dynamics.top_k": [0.5, 0.6]}
    )
    with pytest.raises(InputError, match=r"hyper: .* decides what is computed.*: dynamics.top_k_start"):
        group.advance(group.init(), group.inputs(0))
