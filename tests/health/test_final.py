"""Verdicts on final scores: untrained generators and missing modes are named, healthy ones are left alone."""

import dataclasses
import re
import shlex

import pytest
from helpers import some

from jaxgan.cli.train import Train
from jaxgan.cli.words.training import planned
from jaxgan.config import PRESETS, get_preset
from jaxgan.config.data import as_meant
from jaxgan.config.fields import to_json
from jaxgan.config.looked_at import unread, unread_fields
from jaxgan.data import open_source
from jaxgan.health import ADVICE, ADVICE_ALONE, judge
from jaxgan.health.advice import advice_for
from jaxgan.metrics.catalogue import SCORES


def scores(**values):
    """name=(value, of real data)."""
    return {name: {"value": v, "floor": f, **SCORES[name].to_json()} for name, (v, f) in values.items()}


RING = {
    "sliced_wasserstein": (0.02, 0.01),
    "high_quality": (0.98, 0.99),
    "modes": (8, 8),
    "reverse_kl": (0.01, 0.001),
}
DIGITS = {
    "precision": (0.84, 0.93),
    "recall": (0.87, 0.92),
    "coverage": (0.8, 0.95),
    "classes_present": (10, 10),
}


@pytest.mark.parametrize("healthy", [RING, DIGITS, {}, {"recall": (0.3, 0.9), "precision": (0.95, 0.93)}])
def test_good_scores_are_left_alone(healthy):
    assert judge(scores(**healthy)) == []


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        (
            RING | {"high_quality": (0.0, 0.99), "modes": (0, 8)},
            "not trained yet",
            "0 % of the fakes lie near a mode",
        ),
        (RING | {"high_quality": (0.0, 0.99), "modes": (0, 8)}, "not trained yet", "0 of 8 modes were found"),
        (RING | {"modes": (7, 8)}, "modes are missing", "7 of 8 modes were found"),
        (RING | {"modes": (24, 25)}, "modes are missing", "24 of 25 modes"),
        (DIGITS | {"classes_present": (8, 10)}, "modes are missing", "8 of 10 classes"),
        (DIGITS | {"recall": (0.0, 0.92)}, "modes are missing", "0 % of the reals lie among the fakes (92 %"),
        (DIGITS | {"coverage": (0.002, 0.95)}, "modes are missing", "0.2 % of the reals have a fake nearby"),
        (
            DIGITS | {"precision": (0.0, 0.93), "coverage": (0.0, 0.9)},
            "not trained yet",
            "0 % of the fakes look real",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_numbers(changes, name, words):
    (verdict,) = judge(scores(**changes))
    assert (verdict.name, verdict.since, verdict.when) == (name, None, "at the end")
    assert words in verdict.evidence
    assert verdict.advice == ADVICE[name]


def test_a_score_that_has_not_moved_is_not_trained_yet():
    """Though fakes look real by accident, as among few images."""
    now, before = (
        scores(fd=(value, 1.0), precision=(1.0, 1.0), recall=(0.0, 1.0)) for value in (57.27, 57.2)
    )
    (verdict,) = judge(now, main="fd", untrained=before)
    assert verdict.name == "not trained yet"
    assert verdict.evidence == "fd is 57.27, and was 57.2 before the training"
    assert [v.name for v in judge(now)] == ["modes are missing"]
    better = now | {"fd": now["fd"] | {"value": 40.0}}
    assert [v.name for v in judge(better, main="fd", untrained=before)] == ["modes are missing"]
    noisy = better | {"fd": better["fd"] | {"error": 10.0}}
    assert [v.name for v in judge(noisy, main="fd", untrained=before)] == ["not trained yet"]


def test_few_modes_of_a_thousand_are_no_verdict_and_fakes_that_look_bad_miss_none():
    assert judge(scores(modes=(983, 1000))) == []
    assert judge(scores(modes=(970, 1000)))[0].evidence == "970 of 1,000 modes were found"
    rare = {name: score | {"error": 9.0} for name, score in scores(classes_present=(270, 300)).items()}
    assert judge(rare) == []  # of Inception's thousand, say
    assert judge(scores(precision=(0.3, 0.93), recall=(0.1, 0.92))) == []  # bad, but on the way
    (verdict,) = judge(scores(precision=(0.3, 0.93), recall=(0.0, 0.92), coverage=(0.01, 0.95)))
    assert verdict.evidence.count("reals") == 2
    assert judge(scores(recall=(None, 0.92), modes=(None, 8))) == []


@pytest.mark.parametrize("name", ["modes are missing", "not trained yet"])
def test_a_game_without_a_discriminator_is_told_of_none(name):
    changes = {"recall": (0.0, 0.92)} if name == "modes are missing" else {"precision": (0.0, 0.93)}
    (verdict,) = judge(scores(**changes), judged=False)
    assert (verdict.name, verdict.advice) == (name, ADVICE_ALONE[name])


def test_advice_to_such_games_can_be_pasted():
    assert ADVICE_ALONE.keys() == ADVICE.keys() - {"discriminator overfits", "generator starves"}
    for advice in ADVICE_ALONE.values():
        assert "iscriminator" not in advice
        flags = re.findall(r"`(--[^`]*)`", advice)
        assert flags
        assert not any(word.startswith("--d-") for flag in flags for word in flag.split())
        for preset in ("vae-mnist", "autoencoder-mnist"):
            for flag in flags:
                planned([preset, *shlex.split(flag)], Train).config.build((28, 28, 1))


@pytest.mark.parametrize("judged", [True, False])
def test_nothing_is_advised_that_a_run_has(judged):
    """Whatever is advised to a run is not advised to the run that follows it; nor is a penalty that is stronger."""
    for name, advice in (ADVICE if judged else ADVICE_ALONE).items():
        for flag in re.findall(r"`(--[^`]*)`", advice):
            preset = "dcgan-mnist" if judged else "vae-mnist"
            config = planned([preset, "--loss", "minimax", *shlex.split(flag)], Train).config
            told = advice_for(name, judged=judged, settings=dataclasses.asdict(config))
            assert f"`{flag}`" not in told, name
            assert told.endswith(".")
    strong = {"penalty": {"weights": [["r1", 10.0]]}, "steps": 300_000}
    assert "r1 1`" not in advice_for("mode collapse", settings=strong)
    assert "`--steps 600000`" in advice_for("modes are missing", settings=strong)


@pytest.mark.parametrize(("recipe", "said"), [("lsgan", False), ("wgan-gp", False), ("minimax", True)])
def test_words_follow_the_loss(recipe, said):
    settings = dataclasses.asdict(planned(["dcgan-mnist", "--loss", recipe], Train).config)
    assert ("minimax" in advice_for("generator starves", settings=settings)) is said
    assert ("d-steps" in advice_for("generator starves", settings=settings)) is (recipe == "wgan-gp")
    assert "Wasserstein" not in advice_for("diverging", settings=settings)
    bare = settings | {"loss": "wasserstein", "penalty": {"weights": []}, "d_optimizer": {}}
    assert "Wasserstein" in advice_for("diverging", settings=bare)


def test_a_run_that_has_all_of_it_is_told_so():
    slow = {"learning_rate": 1e-5, "b1": 0.0}
    settings = {"g_optimizer": slow, "d_optimizer": slow, "penalty": {"weights": [["r1", 1.0]]}}
    assert advice_for("diverging", settings=settings).startswith("The run has all that usually helps")


FLAGS = sorted({flag for advice in ADVICE.values() for flag in re.findall(r"`(--[^`]*)`", advice)})


@pytest.mark.parametrize("flag", FLAGS)
def test_advice_can_be_pasted(flag):
    planned(["dcgan-mnist", *shlex.split(flag)], Train).config.build((28, 28, 1))


PASTED = (
    *(
        "cdcgan-mnist",
        "wgan-gp-mnist",
        "stylegan2-auto-64",
        "fastgan-256",
        "dcgan-cifar10-icr",
        "bigan-mnist",
    ),
    "infogan-mnist",
)  # which have classes, no sign, penalties of latents, terms, options of penalties, and games of their own


@pytest.mark.parametrize("preset", some(PRESETS, *PASTED))
def test_what_a_run_is_told_it_takes(preset):
    """Beside what the preset has: whatever is advised builds, is looked at, and takes no penalty away."""
    base = get_preset(preset)
    spec = (as_meant(base) or open_source("ring")).spec
    judged = base.build(spec).critic is not None
    played = {"judged": judged, "unread": unread_fields(base, spec), "settings": to_json(base)}
    told = [advice_for(name, **played) for name in ADVICE]
    for flag in {flag for text in told for flag in re.findall(r"`(--[^`]*)`", text)}:
        config = planned([preset, *shlex.split(flag)], Train).config
        config.build(spec)
        if base.game != "gan":
            assert unread(config, spec, [flag.split()[0]]) == []
        assert all(dict(config.penalty.weights)[name] >= weight for name, weight in base.penalty.weights)


def test_what_games_look_at_is_known():
    for preset, read, ignored in (
        ("pix2pix", {"penalty", "d_optimizer"}, {"augment", "reuse_fakes"}),
        ("bigan-mnist", {"d_optimizer", "loss"}, {"augment", "penalty"}),
        ("cyclegan", {"d_optimizer", "loss"}, {"augment", "penalty"}),
    ):
        base = get_preset(preset)
        without = {*unread_fields(base, (as_meant(base) or open_source("ring")).spec)}
        assert ignored <= without, preset
        assert not read & without, preset


def test_settings_that_a_game_does_not_look_at_are_not_advised():
    own = advice_for("discriminator overfits", unread=["augment", "penalty"])
    assert "--data.flip" in own
    assert "--augment" not in own
    assert "--penalty" not in own
    # nor what has no flag
    raised = "raise the discriminator's learning rate"
    assert raised in advice_for("mode collapse")
    assert raised not in advice_for("mode collapse", unread=["d_optimizer"])
    # what is not looked at is not in force, either
    settings = {"penalty": {"weights": []}, "model": {"d_spectral_norm": True}}
    bounded = "bound the discriminator"
    assert bounded not in advice_for("diverging", settings=settings)
    assert bounded in advice_for("diverging", settings=settings, unread=["model"])


@pytest.mark.parametrize("judged", [True, False])
def test_where_it_is_not_known_what_a_game_looks_at_nothing_of_it_is_advised(judged):
    for name in ADVICE if judged else ADVICE_ALONE:
        told = advice_for(name, judged=judged, unread=None)
        assert {flag.split(".")[0] for flag in re.findall(r"`--([a-z.-]+)", told)} <= {
            "steps",
            "d-steps",
            "data",
        }
        assert "learning rate" not in told
        assert "smaller" not in told


def test_a_case_is_said_once():
    rates = re.findall("learning rate", ADVICE["not trained yet"])
    assert (len(rates), ADVICE["not trained yet"].count("if the scores no longer improve")) == (2, 1)
    one = advice_for("not trained yet", settings={"d_optimizer": {"learning_rate": 1e-5}})
    assert "; if the scores no longer improve, lower the generator's" in one


def test_a_penalty_is_advised_beside_those_that_a_run_has():
    settings = {"penalty": {"weights": [["gradient_penalty", 10.0], ["r2", 0.5]]}}
    told = advice_for("modes are missing", settings=settings)
    assert (
        "`--penalty.weights gradient_penalty 10 r2 0.5 r1 0.1`" in told
    )  # each with the larger of its weights


def test_nothing_is_said_of_rates_that_are_not_known():
    slower = "below the discriminator's"
    rates = {"g_optimizer": {"learning_rate": 1e-5}, "d_optimizer": {"learning_rate": 1e-4}}
    assert slower not in ADVICE["generator starves"]
    assert slower in advice_for("generator starves", settings=rates)


def test_every_verdict_has_advice_with_a_flag():
    assert len(FLAGS) >= 10
    assert all("`--" in advice for advice in ADVICE.values())
    assert "`--data.flip`" in ADVICE["discriminator overfits"]
