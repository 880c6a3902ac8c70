"""Health: monitors are what they say, verdicts need persistence, and real runs that fail are told from healthy ones."""

import dataclasses
import json
import os
import signal
import time
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import arrays, same_arrays, small

from jaxgan import InputError, health
from jaxgan.config.groups import ComputeConfig, DataConfig, HealthConfig, LatentConfig
from jaxgan.config.moves import DynamicsConfig, OptimizerConfig, PenaltyConfig
from jaxgan.config.presets import get_preset
from jaxgan.data import IMAGE, Images, describe, fingerprint, open_source, other_split
from jaxgan.data.mnist import load_mnist
from jaxgan.data.splits import with_hold_out
from jaxgan.health import (
    MONITORS,
    Standing,
    Verdict,
    diagnose,
    mean_distance,
    overfitting,
    real_sign,
)
from jaxgan.losses import LOSSES
from jaxgan.metrics import make_evaluator
from jaxgan.metrics.features import features_for
from jaxgan.metrics.scores.classes import histogram_kl, histogram_kl_error
from jaxgan.metrics.scores.mixtures import mode_shares
from jaxgan.models import MLPConfig
from jaxgan.report.pictures import picture
from jaxgan.report.run import write_report
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.seeds import member_folder
from jaxgan.train.keeper import RunKeeper
from jaxgan.train.members import set_up
from jaxgan.train.resume import resume
from jaxgan.train.run import train
from jaxgan.train.seeds import train_seeds
from jaxgan.train.stops import Stopped

pytestmark = pytest.mark.usefixtures("shared_programs")

ADAM = OptimizerConfig(1e-3, b1=0.5)
PNG = picture(np.zeros((1, 8, 8, 1), np.uint8), IMAGE)


def names(folder: RunFolder) -> set[str]:
    return {verdict.name for verdict in diagnose(folder.records())}


def ever(folder: RunFolder) -> set[str]:
    return {name for record in folder.records() for name in record.get("verdicts", [])}


def seen(folder: RunFolder) -> list[dict]:
    return [record for record in folder.records() if "score" in record]


# --- runs that fail, and runs that do not --------------------------------------------------------


@lru_cache
def digits(first: int, n: int) -> Images:
    """MNIST's test digits at 8x8 pixels: what would take minutes takes seconds."""
    whole = load_mnist("test")
    images = np.ascontiguousarray(whole.images[first : first + n, 2:26:3, 2:26:3])
    labels = whole.labels[first : first + n]
    return Images(
        f"digits:{n}", images, labels, class_names=whole.class_names, fingerprint=fingerprint(images, labels)
    )


class MeanImage:
    """An evaluator that costs nothing: how far the mean fake is from the mean digit."""

    main, features = "mean_image", "none"

    def quick(self, generate, n):
        return float(np.abs(generate(n).mean(0) - digits(0, 5000).images.mean(0)).mean())


@pytest.fixture(autouse=True)
def lean(monkeypatch):
    """Sources digits:N, with 1,000 other digits held out; no grids, reports or expensive scores."""
    is_digits = lambda name: name.startswith("digits:")
    monkeypatch.setattr(
        "jaxgan.config.data.open_source",
        lambda spec, *a, **k: digits(0, int(spec[7:])) if is_digits(spec) else open_source(spec, *a, **k),
    )
    monkeypatch.setattr(
        "jaxgan.health.monitors.other_split",
        lambda source: digits(5000, 1000) if is_digits(source.name) else other_split(source),
    )
    monkeypatch.setattr("jaxgan.train.keeper.pictures_of", lambda *args: [("samples", PNG)])
    make = lambda source, *_: make_evaluator(source) if source.name == "ring" else MeanImage()
    monkeypatch.setattr("jaxgan.train.members.make_evaluator", make)
    monkeypatch.setattr("jaxgan.runs.evaluation.score", lambda *args: {"scores": {}})
    monkeypatch.setattr("jaxgan.train.run.reals_of", lambda *args: PNG)
    monkeypatch.setattr("jaxgan.train.sinks.base.write_report", lambda folder: None)


def digit_run(tmp_path, n=5000, **changes):
    base = {"steps": 600, "batch_size": 32, "log_every": 50, "evaluate_every": 100, "sample_every": 1000}
    base |= {"checkpoint_every": 600, "quick_n": 200, "final_n": 20, "data": DataConfig(f"digits:{n}")}
    base |= {
        "model": MLPConfig(g_widths=(64,), d_widths=(64,)),
        "latent": LatentConfig(dim=16),
        "g_optimizer": ADAM,
    }
    base |= {"health": HealthConfig()}
    return small(tmp_path, **(base | changes))


def healthy(tmp_path, **changes):
    return digit_run(tmp_path, **({"d_optimizer": OptimizerConfig(5e-4, b1=0.5)} | changes))


def ring(tmp_path, **changes):
    base = {"out": str(tmp_path), "compute": ComputeConfig(devices=1), "steps": 400, "evaluate_every": 100}
    base |= {"log_every": 50, "checkpoint_every": 400, "sample_every": 1000, "quick_n": 500}
    return dataclasses.replace(get_preset("toy-ring"), **(base | changes))


def test_a_discriminator_of_64_digits_overfits(tmp_path, capsys):
    fast = OptimizerConfig(2e-3, b1=0.5)
    model = MLPConfig(g_widths=(64,), d_widths=(128, 128))
    folder = train(digit_run(tmp_path, 64, steps=400, model=model, g_optimizer=fast, d_optimizer=fast))
    assert "discriminator overfits" in names(folder)
    assert seen(folder)[-1]["health/overfitting"] > health.verdicts.MAX_OVERFITTING
    out, page = capsys.readouterr().out, write_report(folder).read_text()
    assert out.count("health: discriminator overfits: ") == 1  # said once, when it appears
    assert "health: discriminator overfits (since step" in out.splitlines()[-1]
    assert '<b class="bad">discriminator overfits</b>' in page
    assert "More data; " in page
    assert "Discriminator on fixed sets" in page[page.index("<h2>Curves") :]
    events = b"".join(file.read_bytes() for file in (folder.path / "tensorboard").iterdir())
    assert b"health/overfitting" in events
    assert b"discriminator overfits: " in events


def test_a_critic_without_a_bound_and_huge_learning_rates_diverge(tmp_path):
    huge = OptimizerConfig(0.1, b1=0.5)
    config = digit_run(
        tmp_path, loss="wasserstein", steps=300, g_optimizer=huge, d_optimizer=huge, log_every=10
    )
    folder = train(config)
    assert "diverging" in names(folder)
    assert "generator starves" not in names(folder)  # no accuracy: nobody knows who wins


def test_a_generator_that_rushes_collapses(tmp_path):
    """A plain game on the ring, the generator ten times as fast as the discriminator, with momentum."""
    folder = train(
        ring(
            tmp_path,
            steps=700,  # it collapses by step 300, and a verdict needs some records in a row
            batch_size=64,
            loss="non_saturating",
            penalty=PenaltyConfig(),
            dynamics=DynamicsConfig(),
            model=MLPConfig(g_widths=(64, 64), d_widths=(64, 64)),
            latent=LatentConfig(dim=2),
            g_optimizer=OptimizerConfig(1e-2, b1=0.9),
            d_optimizer=ADAM,
        )
    )
    assert "mode collapse" in names(folder)


def test_a_healthy_ring_is_healthy(tmp_path):
    folder = train(ring(tmp_path, batch_size=128))
    assert ever(folder) == set()
    assert all("health/diversity" in record for record in seen(folder))
    assert not any({"health/real_sign", "health/overfitting"} & record.keys() for record in seen(folder))


def test_a_healthy_digit_run_is_healthy(tmp_path, capsys):
    folder = train(healthy(tmp_path))
    assert ever(folder) == set()
    assert {f"health/{name}" for name in MONITORS if name != "overfitting"} <= seen(folder)[-1].keys()
    assert capsys.readouterr().out.splitlines()[-1] == "health: nothing wrong was seen"


# --- nothing of the training depends on it -------------------------------------------------------


NORMED = MLPConfig(g_widths=(16,), d_widths=(16, 16), g_batch_norm=True, d_batch_norm=True)


def short(tmp_path, **changes):
    base = {"steps": 20, "batch_size": 8, "log_every": 10, "evaluate_every": 10, "quick_n": 40}
    return digit_run(tmp_path, 100, **(base | {"checkpoint_every": 20} | changes))


def test_watching_changes_no_bit(tmp_path):
    watched = train(healthy(tmp_path / "a", steps=100))
    alone = train(healthy(tmp_path / "b", steps=100, health=HealthConfig(enabled=False)))
    same_arrays(arrays(watched, 100), arrays(alone, 100))
    for ours, theirs in zip(watched.records(), alone.records(), strict=True):
        own = {name for name in ours if name.startswith("health/")}
        assert ("score" in ours) == ({"health/diversity", "health/real_sign"} <= own)
        assert ours.keys() - own == theirs.keys()


def test_monitors_are_functions_of_the_state(tmp_path):
    setup = set_up(short(tmp_path, model=NORMED))
    state = setup.init_member(0)
    make = lambda: health.Monitors(setup.game, setup.source, setup.sampler, 60, 16)
    before = jax.tree.map(
        np.asarray,
        state.players,
    )
    one = make()
    first = one(state)
    assert first == one(state) == make()(state)
    after = jax.tree.map(
        np.asarray,
        state.players,
    )
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_a_generator_that_hardly_moves_starves_also_when_resumed(tmp_path, monkeypatch, capsys):
    """The history comes back from metrics.jsonl: what stood is not told twice, what follows is the same."""
    slow = OptimizerConfig(1e-8, b1=0.5)
    options = {"steps": 700, "evaluate_every": 350, "checkpoint_every": 50, "quick_n": 20}
    options |= {"g_optimizer": slow, "d_optimizer": ADAM}
    whole = train(digit_run(tmp_path / "whole", **options))
    assert names(whole) == {"generator starves"}
    assert "health: generator starves: " in capsys.readouterr().out
    keep = RunKeeper.keep

    def stopping(self, state, record, due, seconds):
        record = keep(self, state, record, due, seconds)
        if record["step"] == 650:
            raise Stopped(2, 650, self.folder)
        return record

    with monkeypatch.context() as patch:
        patch.setattr(RunKeeper, "keep", stopping)
        with pytest.raises(Stopped) as stopped:
            train(digit_run(tmp_path / "parts", **options))
    assert "health: generator starves: " in capsys.readouterr().out
    resume(stopped.value.folder)
    assert "health: generator starves: " not in capsys.readouterr().out
    timeless = lambda folder: [
        {k: v for k, v in r.items() if k != "images_per_second"} for r in folder.records()
    ]
    assert timeless(stopped.value.folder) == timeless(whole)
    assert timeless(whole)[-1]["verdicts"] == ["generator starves"]


def test_a_look_that_is_interrupted_is_made_up_for_to_the_bit(tmp_path, monkeypatch):
    """Asked to stop at the first, a middle or the last poll of a look: then the run goes on as if it had not been."""
    options = {"steps": 40, "evaluate_every": 20, "log_every": 10, "quick_n": 60}
    look, polls = health.Monitors.__call__, []

    def run(name, at=None):
        """Trains; a signal comes at poll `at` of the first look."""

        def looking(self, state, poll):
            polls.append(0)

            def polled():
                if len(polls) == 1 and polls[0] == at:
                    os.kill(os.getpid(), signal.SIGTERM)
                    time.sleep(0.01)
                polls[-1] += 1
                poll()

            return look(self, state, polled)

        polls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(health.Monitors, "__call__", looking)
            return train(digit_run(tmp_path / name, **options))

    timeless = lambda folder: [
        {k: v for k, v in r.items() if k != "images_per_second"} for r in folder.records()
    ]
    whole = run("whole")
    assert len(seen(whole)) == 2
    each = polls[1]
    assert each >= 6  # batches of the discriminator's, fakes and their features
    for at in (0, each // 2, each - 1):
        with pytest.raises(Stopped) as stopped:
            run(f"part {at}", at)
        assert polls == [at + 1]
        folder = stopped.value.folder
        assert [record["step"] for record in folder.records()] == [10]
        resume(folder)
        assert timeless(folder) == timeless(whole)
        same_arrays(arrays(folder, 40), arrays(whole, 40))


def test_a_look_is_polled_between_batches_of_its_network(tmp_path, monkeypatch):
    setup, polls = set_up(short(tmp_path)), []
    network, counts = features_for(setup.source), []
    for batch in (10, 60):
        network = dataclasses.replace(network, batch=batch)
        monkeypatch.setattr("jaxgan.health.monitors.features_for", lambda source, network=network: network)
        polls.clear()
        monitors = health.Monitors(setup.game, setup.source, setup.sampler, 60, 16)
        monitors(setup.init_member(0), lambda: polls.append(1))
        counts.append(len(polls))
    assert counts[0] - counts[1] == 2 * (6 - 1)  # of reals and of fakes


def test_members_of_an_ensemble_are_watched_by_one_program(tmp_path, monkeypatch):
    made, init = [], health.Monitors.__init__
    counted = lambda self, *args: (made.append(1), init(self, *args))[1]
    monkeypatch.setattr(health.Monitors, "__init__", counted)
    for name, result in (("summarise", {}), ("write_summary", None), ("summary_lines", [])):
        monkeypatch.setattr(f"jaxgan.train.seeds.{name}", lambda *args, result=result: result)
    folder = train_seeds(short(tmp_path), 2)
    first, second = (seen(member_folder(folder, seed)) for seed in (0, 1))
    assert len(made) == 1
    assert first[0].keys() == second[0].keys() >= {"health/diversity", "health/ema_distance"}
    assert first[0]["health/diversity"] != second[0]["health/diversity"]


# --- monitors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
def test_a_sign_is_given_only_where_a_logit_alone_means_something(name):
    loss = LOSSES[name]()
    sign = real_sign(loss)
    assert (sign is None) == (loss.accuracy is None or loss.compares)
    if sign is not None:
        assert float(sign(jnp.full((8,), 1e6))) == 1
        assert float(sign(jnp.full((8,), -1e6))) == -1
        assert float(sign(jnp.asarray([1e6, 1e6, 1e6, -1e6]))) == 0.5


def test_signs_are_about_the_threshold_of_the_loss():
    logits = jnp.asarray([0.2, 0.4, 0.6, 0.8])
    signs = {name: real_sign(LOSSES[name]())(logits) for name in ("non_saturating", "hinge", "least_squares")}
    assert {name: float(value) for name, value in signs.items()} == {
        "non_saturating": 1.0, "hinge": 1.0, "least_squares": 0.0,
    }  # fmt: skip
    assert real_sign(LOSSES["relativistic_paired"](label_smoothing=0.1)) is None  # which states no claim


def test_overfitting_is_that_of_ada():
    rng = np.random.default_rng(0)
    train_, held, fake = (rng.normal(mean, 0.5, 1000) for mean in (2.0, 1.5, 0.0))
    ratio = overfitting(train_, held, fake)
    assert ratio == pytest.approx((train_.mean() - held.mean()) / (train_.mean() - fake.mean()))
    assert ratio == pytest.approx(0.25, abs=0.03)
    assert overfitting(3 * train_ - 7, 3 * held - 7, 3 * fake - 7) == pytest.approx(ratio)
    assert overfitting(train_, train_, fake) == 0
    assert overfitting(train_, fake, fake) == 1
    assert overfitting(fake, train_, train_) is None  # D is on the wrong side
    assert overfitting(fake[:500], held[:500], fake[500:]) is None  # it cannot tell: no ratio of noise


def test_mean_distance_by_hand():
    x = np.asarray([[0.0, 0.0], [3.0, 4.0], [0.0, 8.0]])
    assert mean_distance(x) == pytest.approx((5 + 8 + 5) / 3)
    assert mean_distance(1e6 + x) == pytest.approx(6, rel=1e-6)
    assert mean_distance(np.ones((4, 3))) == 0


def with_average(state, average):
    generator = state.players["generator"].replace(average=average)
    return state.replace(players=state.players | {"generator": generator})


def test_monitors_of_a_known_state(tmp_path):
    """The discriminator's numbers as one would write them down; those of the average from its own fakes."""
    setup = set_up(short(tmp_path))
    state = setup.init_member(0)
    half = jax.tree.map(lambda x: x / 2, state.players["generator"].average["params"])
    monitors = health.Monitors(setup.game, setup.source, setup.sampler, 64, 16)
    found = monitors(with_average(state, {"params": half}))
    assert found["health/ema_distance"] == pytest.approx(0.5, rel=1e-5)
    assert monitors(state)["health/ema_distance"] == 0
    chosen = np.random.default_rng(health.monitors.SEED).permutation(len(setup.source))[:64]
    real = jnp.asarray(setup.source.images[chosen], jnp.float32) / 127.5 - 1
    logits = setup.game.players["discriminator"].module.apply(
        {"params": state.players["discriminator"].params}, real
    )
    assert found["health/real_sign"] == pytest.approx(float(jnp.sign(logits).mean()), abs=1e-6)
    same = with_average(state, {"params": jax.tree.map(jnp.zeros_like, half)})
    assert monitors(same)["health/diversity"] == 0  # all fakes are one grey image


def test_perfect_fakes_are_as_varied_as_reals(tmp_path):
    setup = set_up(ring(tmp_path))
    points = np.asarray(setup.source.sample(jax.random.key(5), 500)[0])
    perfect = type("Perfect", (), {"stream": lambda *_: lambda n: points[:n]})()
    monitors = health.Monitors(setup.game, setup.source, perfect, 500, 64)
    found = monitors(setup.init_member(0))
    assert found["health/diversity"] == pytest.approx(1, abs=0.05)
    assert found["health/coverage"] > 0.9
    assert found["health/recall"] > 0.9


def test_other_splits_are_held_out_and_nothing_else(tmp_path):
    assert other_split(load_mnist("test")).name == "mnist:train"
    own = dataclasses.replace(digits(0, 100), name="npz:digits.npz")
    assert other_split(own) is None
    setup = set_up(short(tmp_path))
    found = health.Monitors(setup.game, own, setup.sampler, 32, 16)(setup.init_member(0))
    assert "health/overfitting" not in found
    assert "health/real_sign" in found


def test_fewer_held_out_examples_than_a_batch_are_looked_at(tmp_path, monkeypatch):
    """They share a batch with reals, and only they are counted."""
    looked_at = []
    monkeypatch.setattr("jaxgan.health.monitors.overfitting", lambda *logits: looked_at.append(logits) or 0.5)
    setup = set_up(short(tmp_path))
    source = with_hold_out(dataclasses.replace(digits(0, 100), name="npz:digits.npz"), 0.1)
    found = health.Monitors(setup.game, source, setup.sampler, 32, 16)(setup.init_member(0))
    assert found["health/overfitting"] == 0.5
    assert list(map(len, looked_at[0])) == [32, 10, 32]


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({"loss": "wasserstein"}, {"real_sign"}),
        ({"loss": "relativistic_paired"}, {"real_sign"}),
        (
            {"loss": "mmd_rbf", "model": MLPConfig(g_widths=(16,), d_widths=(16,), d_logits=4)},
            {"real_sign", "overfitting"},
        ),
        ({"dynamics": DynamicsConfig(pack=2, instance_noise=0.1)}, set()),
        ({"model": MLPConfig(g_widths=(16,), d_widths=(16,), d_logits=3), "loss": "hinge"}, set()),
    ],
    ids=["wasserstein", "relativistic", "features", "packed", "vector"],
)
def test_what_has_no_meaning_is_left_out(tmp_path, changes, absent):
    setup = set_up(short(tmp_path, **changes))
    state = setup.init_member(0)
    monitors = health.Monitors(setup.game, setup.source, setup.sampler, 64, 16)
    found = {name.removeprefix("health/") for name in monitors(state)}
    assert not found & absent
    assert {"ema_distance", "diversity", "precision", "recall", "coverage"} <= found
    assert ("real_sign" in found) == ("real_sign" not in absent)
    if "overfitting" in absent:
        assert "overfitting" not in found  # though a split is held out


def test_tiny_data_are_no_error(tmp_path):
    setup = set_up(short(tmp_path))
    few = dataclasses.replace(digits(0, 4), name="npz:x")
    found = health.Monitors(setup.game, few, setup.sampler, 1000, 8)(setup.init_member(0))
    assert "health/diversity" in found
    assert "health/coverage" not in found  # fewer examples than neighbours
    with pytest.raises(InputError, match=r"health.n: expected at least 0 examples, got -1"):
        short(tmp_path, health=HealthConfig(n=-1)).check()


# --- verdicts ------------------------------------------------------------------------------------


def history(n=20, every=100, **columns):
    """Records of columns that are numbers or functions of the record's index."""
    base = {"d/loss": 1.0, "g/loss": 1.0, "d/grad_norm": 1.0, "g/grad_norm": 1.0}
    value = lambda column, i: column(i) if callable(column) else column
    return [
        {"step": every * (i + 1)}
        | base
        | {name.replace("__", "/"): value(column, i) for name, column in columns.items()}
        for i in range(n)
    ]


BAD = {
    "mode collapse": [
        {"health__diversity": lambda i: 0.1 if i >= 10 else 1.0},
        {
            "health__diversity": 0.9,
            "health__precision": 0.9,
            "health__coverage": lambda i: 0.1 if i >= 10 else 0.8,
        },
    ],
    "discriminator overfits": [{"health__overfitting": lambda i: 0.8 if i >= 10 else 0.1}],
    "generator starves": [{"d__accuracy": lambda i: 0.99 if i >= 10 else 0.8, "score": 2.0}],
    "diverging": [
        {"d__real_logits": lambda i: 2e3 if i >= 10 else 1.0, "d__fake_logits": 0.0},
        {"d__grad_norm": lambda i: 300.0 if i >= 10 else 1.0},
        {"g__loss": lambda i: -300.0 if i >= 10 else 1.0},
        {"score": lambda i: 7.0 if i >= 10 else 2.0},
    ],
}
CASES = [(name, columns) for name, variants in BAD.items() for columns in variants]


@pytest.mark.parametrize(("name", "columns"), CASES)
def test_each_condition_has_its_verdict_once_it_lasts(name, columns):
    (verdict,) = diagnose(history(**columns))
    assert isinstance(verdict, Verdict)
    assert (verdict.name, verdict.since) == (name, 1100)
    assert verdict.advice.endswith(".")
    assert any(character.isdigit() for character in verdict.evidence)
    assert diagnose(history(11, **columns)) == []  # one bad record is noise


@pytest.mark.parametrize(("name", "columns"), CASES)
def test_noise_begins_and_ends_nothing(name, columns):
    """A bad record in every second never begins a verdict; one good record does not end it, more do."""
    bad = history(**columns)
    good = history(**{k: v(0) if callable(v) else v for k, v in columns.items()})
    every_second = [b if i % 2 else g for i, (b, g) in enumerate(zip(bad, good, strict=True))]
    assert diagnose(every_second) == []
    wait = 5 if name == "generator starves" else 3
    after = lambda k: [dict(g, step=2000 + 100 * i) for i, g in enumerate(good[:k], 1)]
    assert [v.name for v in diagnose(bad + after(wait - 1))] == [name]
    assert diagnose(bad + after(wait)) == []


def test_a_generator_that_improves_does_not_starve():
    wins = {"d__accuracy": 0.995}
    assert diagnose(history(score=lambda i: 10 * 0.8**i, **wins)) == []
    (verdict,) = diagnose(history(score=5.0, **wins, g__grad_norm=lambda i: 1.0 if i < 10 else 1e-3))
    assert verdict.name == "generator starves"
    assert "0.001 times as long as at the start" in verdict.evidence
    assert diagnose(history(every=10, **wins)) == []  # 200 steps are a beginning


def test_the_noise_of_a_perfect_mixture_does_not_diverge():
    """Near 0 the lowest of many divergences is a small part of the usual one."""
    rng, shares = np.random.default_rng(0), mode_shares(8, 2)
    counts = rng.multinomial(2500, shares, 60)
    values = [(histogram_kl(c, shares), histogram_kl_error(c, shares)) for c in counts]
    assert max(values)[0] > 3 * min(values)[0]
    told = {"score": lambda i: values[i][0], "score_error": lambda i: values[i][1]}
    assert diagnose(history(60, **told)) == []
    wandering = {"score": lambda i: 0.002 if i == 20 else 0.02, "score_error": 0.0, "score_name": "mode_kl"}
    assert diagnose(history(60, **wandering)) == []
    gone = {"score": lambda i: 0.7 if i > 40 else 0.02, "score_error": 0.01, "score_name": "mode_kl"}
    assert [verdict.name for verdict in diagnose(history(60, **gone))] == ["diverging"]


def test_another_score_is_not_worse_than_the_one_before():
    changed = {"score": lambda i: 2.0 if i < 30 else 90.0, "score_name": lambda i: "a" if i < 30 else "b"}
    assert diagnose(history(60, **changed)) == []


def test_bad_fakes_are_no_collapse():
    """An untrained generator covers nothing, but its fakes do not look real either."""
    assert diagnose(history(health__diversity=0.9, health__precision=0.05, health__coverage=0.0)) == []


def test_records_without_monitors_say_nothing():
    assert diagnose([]) == []
    assert diagnose([{"step": 1}, {"step": 2, "score": None}]) == []
    mixed = []
    for record in history(60, health__diversity=0.1):
        if record["step"] % 500:
            del record["health/diversity"]
        mixed.append(record)
    assert [v.since for v in diagnose(mixed)] == [500]


def test_standing_needs_steps_as_well_as_records():
    stands = Standing(2, steps=100)
    for step in range(10, 110, 10):
        stands.add(step, True)
        assert stands.since is None
    stands.add(110, True)
    assert stands.since == 10


def test_summaries_are_one_line():
    assert health.summary([]) == "health: nothing wrong was seen"
    verdict = Verdict("diverging", "d/loss is 1e9", "Slow down.", 1200)
    assert health.summary([verdict]) == "health: diverging (since step 1,200): d/loss is 1e9"
    at_end = Verdict("modes are missing", "7 of 8 modes were found", "Train.", None)
    assert health.summary([at_end]) == "health: modes are missing (at the end): 7 of 8 modes were found"


def test_nothing_is_said_before_enough_was_seen():
    """A run that was looked at once is not healthy: nobody knows."""
    records = [*history(9), {"step": 1000, "score": 1.0}, {"step": 1100, "health/diversity": 1.0}]
    assert health.looks(records) == 2
    assert health.looks([*records, {"step": 1200, "score": 1.0, "health/diversity": 1.0}]) == 3
    assert health.summary([], 1) == "health: not judged yet: 1 of 3 looks"
    assert health.summary([], 3) == "health: nothing wrong was seen"
    assert health.summary([], 0, scored=True).endswith("0 of 3 looks; nothing is wrong with the final scores")
    diagnosis = health.Diagnosis()
    for record in records:
        diagnosis.add(record)
    assert diagnosis.looks == 2


def test_reports_say_what_is_what_was_and_what_could_not_be_seen(tmp_path):
    folder = RunFolder(tmp_path)
    folder.samples.mkdir()
    run = {"status": "finished", "command": "c", "environment": {"devices": ["cpu"]}}
    folder.write("run.json", {**run, "data": describe(digits(0, 9))})
    folder.write("config.json", {"health": {"enabled": True}})
    records = history(6, health__diversity=lambda i: [0.1, 0.2, 0.12, 0.9, 0.8, 0.85][i], images=1)
    records[2] |= {"verdicts": ["mode collapse"]}
    folder.metrics.write_text("".join(json.dumps(record) + "\n" for record in records[:3]))
    page = write_report(folder).read_text()
    assert '<b class="bad">mode collapse</b> since step 100: two fakes are 0.12 times' in page
    folder.metrics.write_text("".join(json.dumps(record) + "\n" for record in records))
    page = write_report(folder).read_text()
    assert "Nothing wrong was seen at the end" in page
    assert "Seen on the way, and gone: mode collapse, steps 300 to 300" in page
    assert "<td class=n>0.85</td><td class=n>0.1</td><td class=n>0.9</td><td class=n>600</td>" in page
    assert "Whether the discriminator overfits was not seen" in page
    folder.write("run.json", {**folder.read("run.json"), "status": "running"})
    assert (
        "Nothing wrong was seen so far. Whether modes are missing is judged by"
        in write_report(folder).read_text()
    )
    folder.metrics.write_text("".join(json.dumps(record) + "\n" for record in records[-1:]))
    page = write_report(folder).read_text()
    assert "Not judged yet: 1 of 3 looks" in page
    assert "Nothing wrong was seen" not in page
    folder.write("config.json", {"health": {"enabled": False}})
    assert "<h2>Health" not in write_report(folder).read_text()


def test_advice_names_players_that_the_game_has(tmp_path):
    """A VAE has no discriminator whose learning rate could be raised, whatever its turns are called."""
    records = history(**BAD["mode collapse"][0])
    said = ["discriminator" in diagnose(records, judged=judged)[0].advice for judged in (True, False)]
    assert said == [True, False]
    folder = RunFolder(tmp_path)
    folder.samples.mkdir()
    run = {
        "status": "finished",
        "command": "c",
        "environment": {"devices": ["cpu"]},
        "data": describe(digits(0, 9)),
    }
    folder.metrics.write_text("".join(json.dumps(record | {"images": 1}) + "\n" for record in records))
    pages = []
    for judged, steps in ((True, 50_000), (False, 50_000)):
        folder.write("run.json", {**run, "judged": judged})
        folder.write("config.json", {"health": {"enabled": True}, "steps": steps})
        pages.append(write_report(folder).read_text().partition("What usually helps")[2].partition("</p>")[0])
    assert ["discriminator" in page for page in pages] == [True, False]
    assert "--steps 100000" in pages[1]  # of the run's own settings
    folder.write("run.json", run)  # as version 0.1.0 left it, which did not say
    of_vae = [
        {k: v for k, v in own.items() if k[:2] not in ("d/", "g/")} | {"vae/loss": 1.0} for own in records
    ]
    for own, told in ((records, True), (of_vae, False)):
        folder.metrics.write_text("".join(json.dumps(record | {"images": 1}) + "\n" for record in own))
        said = write_report(folder).read_text().partition("What usually helps")[2].partition("</p>")[0]
        assert ("discriminator" in said) is told
