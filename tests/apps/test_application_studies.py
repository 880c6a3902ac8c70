"""What the experiments of the applications share: results in one form, and comparisons of like with like."""

import json
import pathlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

EXPERIMENTS = pathlib.Path(__file__).parents[2] / "experiments"
sys.path += [str(EXPERIMENTS), str(EXPERIMENTS / "applications")]

import anomalies  # noqa: E402
import applications  # noqa: E402
import augmentation  # noqa: E402
import sections  # noqa: E402

from jaxgan.apps.anomalies.curves import auroc  # noqa: E402
from jaxgan.apps.anomalies.detector import Scored  # noqa: E402
from jaxgan.data import Images, fingerprint  # noqa: E402


def test_a_section_is_json_that_all_can_read_with_intervals_for_few_samples(tmp_path, monkeypatch):
    monkeypatch.setattr(sections, "RECORD", tmp_path / "kept")
    section = sections.Section("some", "Some", "by hand", tmp_path / "out", quick=True)
    samples = [1.0, 2.0, 4.0, 5.0]
    section.row("a", "share", "higher", samples, "nothing", (float("nan"), None, None))
    section.goal("more than nothing", np.bool_(True), "3")
    section.more = {"maps": np.arange(2), "lost": np.inf}
    section.write(record=True)
    texts = [path.read_text() for path in (tmp_path / "out/some.json", tmp_path / "kept/some-quick.json")]
    assert texts[0] == texts[1]
    found = json.loads(texts[0], parse_constant=pytest.fail)
    (row,) = found["rows"]
    assert row["ours"] == 3
    assert row["interval"] == pytest.approx(stats.t.interval(0.95, 3, 3.0, stats.sem(samples)), rel=1e-5)
    assert (row["baseline_value"], row["baseline_interval"]) == (None, None)
    assert found["quick"] is True
    assert found["goals"] == [{"goal": "more than nothing", "met": True, "figure": "3"}]
    assert (found["maps"], found["lost"]) == ([0, 1], None)


def test_a_quick_result_does_not_stand_for_a_long_one(tmp_path, monkeypatch):
    started = []
    fake = SimpleNamespace(
        run=lambda words, **options: started.append(words) or SimpleNamespace(returncode=1),
        TimeoutExpired=TimeoutError,
        STDOUT=None,
    )
    monkeypatch.setattr(applications, "subprocess", fake)
    for quick, runs in ((True, 0), (False, 1)):
        sections.write(tmp_path / "editing/editing.json", {"quick": True})
        applications.ran("editing", applications.Args(quick=quick, out=tmp_path))
        assert len(started) == runs


def test_membership_compares_as_many_of_each_class():
    few, test = np.repeat(np.arange(3), [50, 50, 8]), np.random.default_rng(0).integers(0, 3, 300)
    rows = augmentation.alike(few, test, most=60)
    counts = [np.bincount(labels[own]) for labels, own in zip((few, test), rows, strict=True)]
    np.testing.assert_array_equal(counts[0], counts[1])
    np.testing.assert_array_equal(counts[0], [20, 20, 8])


def test_published_means_are_those_of_the_classes():
    for published in anomalies.PUBLISHED:
        assert np.mean(published.get("each", published["value"])) == pytest.approx(
            published["value"], abs=5e-4
        )


def test_a_slow_search_is_compared_on_its_own_images_and_parts_are_of_one_setting(tmp_path, monkeypatch):
    rng, trainings = np.random.default_rng(0), []
    images, labels = (
        rng.integers(0, 256, (40, 2, 2, 1)).astype(np.uint8),
        rng.integers(0, 2, 40).astype(np.int32),
    )
    data = Images("x", images, labels, class_names=("0", "1"), fingerprint=fingerprint(images))
    score = lambda x: Scored(x.reshape(len(x), -1).mean(1), None)
    monkeypatch.setattr(anomalies, "data_for", lambda name, split: data)
    monkeypatch.setattr(
        anomalies, "detectors", lambda args, normal: trainings.append(args) or {"anogan": score, "pca": score}
    )
    args = anomalies.resolved(anomalies.Args(quick=True, out=tmp_path, n_test=30, search=12))
    section = sections.Section("anomalies", "", "", tmp_path, quick=True)
    found = [anomalies.part("x", "normal", 0, args, section) for _ in range(2)]
    assert len(trainings) == 1
    _, looked, anomalous = anomalies.chosen(data, data, "normal", 0, args)
    on_these = auroc(score(looked[:12]).scores, anomalous[:12])
    on_all = auroc(score(looked).scores, anomalous)
    assert on_these != pytest.approx(on_all, abs=1e-3)
    row = next(row for row in anomalies.rows_of("x", found) if row["score"] == "AUROC")
    assert row["ours"] == row["baseline_value"] == pytest.approx(on_these, abs=1e-5)
    other = anomalies.resolved(anomalies.Args(quick=True, out=tmp_path, n_test=30, search=12, steps=7))
    anomalies.part("x", "normal", 0, other, section)
    assert len(trainings) == 2
