"""Every score is said once: the table is whole, what it says goes through files, and names carry the features."""

import json
import math

import pytest

from jaxgan.__main__ import main
from jaxgan.health import MONITORS
from jaxgan.metrics.catalogue import SCORES, Kind, kind_of
from jaxgan.metrics.image_scores import METRICS
from jaxgan.metrics.score import Score


@pytest.mark.parametrize("kind", SCORES.values(), ids=SCORES)
def test_every_kind_is_whole_and_goes_through_a_file(kind):
    assert kind.meaning
    assert SCORES[kind.key] is kind
    assert kind.better in ("lower", "higher") or kind.key in MONITORS
    if kind.better:
        assert (kind.worst > kind.best) == (kind.better == "lower")
    name = kind.name("x_cnn", 32)
    score = Score(
        0.5, None, kind, n_real=7, n_fake=9, split="data", features="x_cnn@0", error=0.1, protocol="as agreed"
    )
    stored = json.loads(json.dumps(score.to_json(), allow_nan=False))
    assert kind_of(name, stored) == Kind(kind.key, kind.meaning, kind.better, kind.worst, kind.best)
    assert (stored["value"], stored["error"], stored["n_fake"], stored["protocol"]) == (
        0.5,
        0.1,
        9,
        "as agreed",
    )


def test_every_metric_has_scores_of_the_table_and_none_twice():
    keys = [key for metric in METRICS.values() for key in metric.scores]
    assert set(keys) | set(MONITORS) <= SCORES.keys()
    assert len(set(keys)) == len(keys)
    names = [SCORES[key].name("x_cnn", 32) for key in SCORES]
    assert len(set(names)) == len(names)


def test_what_is_not_known_is_read_as_it_says():
    assert kind_of("of_a_stranger", {}) == Kind("of_a_stranger", "", "lower", math.inf)
    assert kind_of("of_a_stranger", {"better": "higher"}).better == "higher"
    assert kind_of("recall", {}) is not None
    assert kind_of("recall", {"better": "higher"}) == SCORES["recall"]
    own = Kind("own", "what its author says", "higher", worst=-1.0, best=math.inf)
    assert kind_of("own_score", own.to_json()) == own


def test_names_carry_the_features():
    names = {
        key: SCORES[key].name("x_cnn", 32) for key in ("fd", "fd_infinity", "intra_fd", "kd", "mmd", "swd")
    }
    assert list(names.values()) == [
        "fd_x_cnn", "fd_x_cnn_infinity", "intra_fd_x_cnn", "kd_x_cnn", "mmd_x_cnn", "swd_32",
    ]  # fmt: skip
    original = [
        SCORES[key].name("inception") for key in ("fd", "fd_infinity", "intra_fd", "kd", "mmd", "sfd")
    ]
    assert original == ["fid", "fid_infinity", "intra_fid", "kid", "mmd_inception", "sfid"]
    others = [SCORES[key].name("inception_0123abcd") for key in ("fd", "sfd")]  # of other weights
    assert others == ["fd_inception_0123abcd", "sfd_inception_0123abcd"]


def test_the_command_says_all_of_the_table(capsys):
    assert main(["metrics"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for kind in SCORES.values():
        direction = f", {kind.better} is better" if kind.better else ""
        assert f"  {kind.name()}{direction}: {kind.meaning}" in lines
