"""The first card of a report: plain words, one verdict, and nothing of a run that is not escaped."""

import pytest

from jaxgan.data import describe, open_source
from jaxgan.health import Verdict
from jaxgan.metrics.catalogue import SCORES
from jaxgan.report.card import card, facts, nearness, reached, said, what


def final(value, real, before=100.0):
    entry = lambda x: {
        "value": x,
        "floor": real,
        "n_fake": 9,
        "n_real": 9,
        "features": "none",
        **SCORES["fd"].to_json(),
    }
    return {
        "main": "fd",
        "final": {"scores": {"fd": entry(value)}},
        "untrained": {"scores": {"fd": entry(before)}},
    }


@pytest.mark.parametrize(
    ("found", "mood", "words"),
    [
        (final(0.12, 0.1), "good", "As near to the data as other real data are"),
        (final(0.8, 0.1), "good", "8 times as far from the data as other real data are"),
        (final(1.5, 0.1), "warn", "not yet near to real: 15 times"),
        (final(80.0, 0.1), "bad", "Far from real"),
        (final(0.5, None), "warn", "not yet near to real."),
        (None, "good", "nothing wrong was seen"),
    ],
)
def test_nearness_in_plain_words(found, mood, words):
    run, last = {"status": "finished"}, {"step": 10, "images": 80}
    verdict = said(run, {}, last, found, [], 3)
    assert verdict.mood == mood
    assert words in verdict.text
    assert found is None or nearness(found) == verdict


def test_where_real_data_have_no_value_the_card_says_why():
    found = final(0.5, None)
    found["final"]["scores"]["fd"]["split"] = (
        "x; floor: none (too few held out: 6, while 9 fakes are compared)"
    )
    assert "(no value of real data: too few held out: 6, while 9 fakes are compared; it was 100" in reached(
        found
    )
    assert "no value of real data" not in reached(final(0.5, 0.1))


def test_the_card_says_how_it_stands():
    last = {"step": 10, "images": 80}
    watched = {"health": {"enabled": True}, "steps": 40}
    say = lambda status, verdicts=(), looked=3, **more: said(
        {"status": status, **more}, watched, last, final(0.1, 0.1), verdicts, looked
    )
    assert say("running").text == "Still training: step 10 of 40."
    assert say("stopped").text == "Stopped, and can be resumed: step 10 of 40."
    assert say("diverged", error="loss = nan") == ("bad", "It diverged at step 10 of 40: loss = nan")
    assert say("finished", looked=1).text.endswith("What lasts is not judged yet: 1 of 3 looks.")
    missing = Verdict("modes are missing", "7 of 8 modes were found", "Train.", None)
    assert say("finished", [missing]) == ("bad", "Modes are missing: 7 of 8 modes were found.")


def test_what_comes_from_a_run_is_escaped():
    evil = "<img src=x>"
    data = {"name": evil, "n": 9, "modality": "image", "example": "image", "stored": "uint8", "n_classes": 0}
    data["spec"] = {"image": {"shape": [2, 2, 1], "dtype": "float32"}}
    run = {
        "status": "failed",
        "error": evil,
        "data": data,
        "environment": {"devices": [evil]},
        "train_seconds": 200,
    }
    last = {"step": 1, "images": 2}
    config = {"loss": evil, "model": {"name": evil}, "penalty": {"weights": [[evil, 1.0]]}, "augment": [evil]}
    page = card(said(run, config, last, None, [], 3), run, config, last, None)
    assert evil not in page
    assert page.count("&lt;img src=x&gt;") >= 6
    assert "in 3.3 minutes" in page


@pytest.mark.parametrize(("step", "words"), [(1, ": 1 step, 8 points"), (2000, ": 2,000 steps, 8 points")])
def test_one_step_is_no_steps(step, words):
    assert words in what({"data": describe(open_source("ring"))}, {}, {"step": step, "images": 8})


def test_intervals_stand_beside_their_penalties():
    penalty = {"weights": [["r1", 0.5], ["path_length", 2.0]], "every_of": [["r1", 16], ["path_length", 4]]}
    assert "r1 0.5 every 16 path_length 2 every 4" in str(
        facts({"data": {"name": "ring"}}, {"penalty": penalty, "loss": "hinge"})
    )
