"""Evaluation of runs and of images of any origin: the same numbers however they are come by; clear refusals."""

import dataclasses
import functools
import json

import jax
import numpy as np
import pytest
from helpers import small, untrained
from PIL import Image

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.config import DataConfig
from jaxgan.data import Images, fingerprint, open_source
from jaxgan.metrics import ImageEvaluator, frechet_distance, load_reference, moments, prdc, save_reference
from jaxgan.metrics.cas import classification_accuracy_score
from jaxgan.metrics.catalogue import SCORES
from jaxgan.metrics.compare import compare
from jaxgan.metrics.features import FEATURES, get_features, mnist_cnn, residual_cnn
from jaxgan.metrics.given import FixedImages
from jaxgan.metrics.image_scores import METRICS, parse_metrics
from jaxgan.metrics.scores.frechet import Gaussian
from jaxgan.runs import evaluation
from jaxgan.runs.evaluation import Protocol, evaluate_images, evaluate_run, open_run
from jaxgan.runs.folder import RunFolder
from jaxgan.train.run import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(small(tmp_path_factory.mktemp("run"), steps=20)).path


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two sets of small colour images, as PNG files and as npz files."""
    where = tmp_path_factory.mktemp("images")
    for name, seed in (("a", 0), ("b", 1)):
        images = np.random.default_rng(seed).integers(0, 200 + 55 * seed, (40, 16, 16, 3), np.uint8)
        (where / name).mkdir()
        for i, image in enumerate(images):
            Image.fromarray(image).save(where / name / f"{i:03}.png")
        np.savez(where / f"{name}.npz", images=images)
    return where


def values(scores):
    return {name: s["value"] for name, s in scores["final"]["scores"].items()}


def digits(n, first=0):
    test = open_source("mnist", "test")
    part = test.images[first : first + n]
    return Images(
        "npz:part",
        part,
        test.labels[first : first + n],
        class_names=test.class_names,
        fingerprint=fingerprint(part, None),
    )


# --- what is computed is what the pure functions say ---------------------------------------------------


def test_streams_give_what_whole_arrays_give(cache):
    """From batches left on the devices, as from one array: the moments' and the neighbours' scores."""
    real, fake = digits(600), digits(500, 600)
    network = mnist_cnn.features()
    evaluation = ImageEvaluator(real, network=network, metrics=("fd", "prdc"))(FixedImages(fake), 500)
    order = np.random.default_rng(1_000_000).permutation(500)
    x, y = network(real.images)[0], network(fake.images[order])[0]
    chosen = np.random.default_rng(20140610).permutation(600)[:500]
    expected = {"fd_mnist_cnn": frechet_distance(*moments(x[chosen]), *moments(y)), **prdc(x[chosen], y)}
    got = {name: score.value for name, score in evaluation.scores.items()}
    assert got == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("key", [k for k in METRICS if k not in ("sfd", "fd_infinity", "cas")])
def test_no_score_depends_on_the_batch(cache, key):
    real, fake = digits(300), digits(150, 600)
    found = []
    for batch in (150, 64):
        network = dataclasses.replace(mnist_cnn.features(), batch=batch)
        evaluation = ImageEvaluator(real, network=network, metrics=(key,))(FixedImages(fake), 150)
        found.append({name: score.value for name, score in evaluation.scores.items()})
    assert found[0] == pytest.approx(found[1], rel=2e-3, abs=1e-4)
    assert found[0]


def test_no_score_depends_on_the_number_of_devices(run, cache, monkeypatch):
    four = evaluate_run(run, "last", 200)
    assert len(jax.tree.leaves(open_run(run, "last")[0].variables)[0].devices()) == 4
    monkeypatch.setattr("jaxgan.runs.evaluation.jax.local_devices", lambda **_: jax.devices()[:1])
    one = evaluate_run(run, "last", 200)
    assert values(four) == pytest.approx(values(one), rel=1e-4, abs=1e-6)


def test_scores_carry_errors_and_protocols(run, cache):
    for name, score in evaluate_run(run, "last", 200)["final"]["scores"].items():
        assert score["protocol"], name
        assert score["error"] >= 0, name


def test_the_accuracy_of_classifiers_of_fakes(cache, monkeypatch):
    """Copies of the reals serve as well as these; with wrong labels they do not. All fakes and reals are used."""
    asked = []

    def short(*arguments, **options):
        asked.append(len(arguments[0]))
        return classification_accuracy_score(*arguments, **options, steps=120, batch_size=16)

    narrow = functools.partial(residual_cnn.ResidualCNN, widths=(8, 16, 32), blocks=(0, 1, 0))
    monkeypatch.setattr(residual_cnn, "ResidualCNN", narrow)
    monkeypatch.setattr("jaxgan.metrics.image_scores.classification_accuracy_score", short)
    monkeypatch.setattr("jaxgan.metrics.evaluator.other_split", lambda source: digits(300, 3000))
    real = digits(400)
    wrong = dataclasses.replace(real, labels=(np.asarray(real.labels) + 1) % 10)
    evaluate = ImageEvaluator(real, network=mnist_cnn.features(), metrics=("cas",))
    good, bad = (evaluate(FixedImages(fakes), 400).scores for fakes in (real, wrong))
    assert asked == [400, 400]
    assert good["cas"].value > 0.5 > 0.3 > bad["cas"].value
    assert good["cas"].floor == bad["cas"].floor == good["cas_augmented"].floor > 0.5
    assert bad["cas_augmented"].value < good["cas_augmented"].value
    assert good["cas"].error == pytest.approx((good["cas"].value * (1 - good["cas"].value) / 300) ** 0.5)
    monkeypatch.setattr("jaxgan.metrics.evaluator.other_split", lambda source: None)
    with (
        pytest.warns(UserWarning, match="cas: left out, as 'npz:part' has no held-out split with labels"),
        pytest.raises(InputError, match="none of cas can be computed"),
    ):
        evaluate(FixedImages(real), 400)


def test_metrics_by_name():
    assert parse_metrics("fid, kid,prdc,fid") == ["fd", "kd", "prdc"]
    assert parse_metrics("all") == [name for name in METRICS if name != "cas"]
    assert SCORES["fd_infinity"].name("inception") == "fid_infinity"
    assert SCORES["kd"].name("mnist_cnn") == "kd_mnist_cnn"
    with pytest.raises(InputError, match="unknown metric 'prcd'; did you mean 'prdc'"):
        parse_metrics("prcd")
    with pytest.raises(InputError, match="expected names"):
        parse_metrics(" ,")


# --- images of any origin -------------------------------------------------------------------------------


def test_folders_and_npz_files_score_alike(folders, cache, capsys):
    found = []
    for fake, real in ((folders / "a", folders / "b"), (folders / "a.npz", folders / "b.npz")):
        out = folders / "scores.json"
        arguments = ["evaluate", "--fake", str(fake), "--real", str(real), "--metrics", "kd,prdc,swd"]
        assert main([*arguments, "--json", str(out)]) == 0
        found.append(values(json.loads(out.read_text())))
    assert found[0].keys() == {"kd_random_cnn", "precision", "recall", "density", "coverage", "swd_16"}
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert "40 fakes, 40 reals" in capsys.readouterr().out


def test_too_few_for_a_covariance_is_said(folders, cache):
    with pytest.warns(UserWarning, match="40 images cannot fill a covariance of 224 features"):
        evaluate_images(str(folders / "a"), str(folders / "b"), Protocol(metrics="fd"))


def bad_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_what_is_asked_for_and_left_out_is_said(folders, cache, capsys):
    arguments = [
        "--fake",
        str(folders / "a"),
        "--real",
        str(folders / "b"),
        "--metrics",
        "fd,prdc,is,intra_fd,ndb",
    ]
    assert main(["evaluate", *arguments]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "warning: is: left out, as the features have no classes" in lines
    assert "warning: ndb: left out, as at least 100 reals are needed, and there are 40" in lines
    assert "warning: intra_fd: left out, as reals and fakes need labels" in lines
    assert any(
        line.startswith("warning: fd_random_cnn: 40 images cannot fill a covariance") for line in lines
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--fake a", "real: expected --real beside --fake, got none"),
        ("--fake a --real b --n 41", "n: expected an integer from 2 to 40"),
        ("--fake a --real b --n 1", "n: expected at least 2 images, got 1"),
        (
            "--fake a --real mnist",
            r"fake: expected images of the reals' shape \(28, 28, 1\).*got \(16, 16, 3\)",
        ),
        ("--fake a --real ring", "real: expected images, got 'ring'"),
        ("--fake empty --real b", "expected PNG, JPEG or WebP images .* in 'empty', found none"),
        ("--fake nowhere/at/all --real b", "fake: expected a folder, a zip or tar archive, an npz file"),
        ("--fake nan.npz --real b", "expected uint8 images .*got float32"),
        ("--fake a --real b --metrics fid", "inception.*--inception-weights"),
        ("--fake a --real b --features dinov2_vits14", "dinov2"),
        ("--fake a --real b --features resnet", "unknown features 'resnet'"),
        ("--fake a --real b --features mnist_cnn", r"mnist_cnn expects images \(28, 28, 1\)"),
        ("--fake a --real b --features trained", "run: jaxgan metrics train-features"),
        ("--fake a --real b --features no.py:f", "features: expected a Python file"),
        ("--fake a --real b --metrics is", "metrics: none of is can be computed with features 'random_cnn'"),
        ("--fake a --real b --inception-weights none.pth", "inception-weights: expected a file of weights"),
        ("--fake a --real stats.npz --features random_cnn", "expected 5 of them"),
        ("--fake a --real stats.npz --metrics prdc", "metrics: expected fd alone"),
        ("--fake a --real b --n-real 1", "n-real: expected at least 2 images, got 1"),
        (
            "--fake a --real b --n-real 41",
            r"n_real: expected an integer from 2 to 40 \(the images of 'folder:b'\), got 41",
        ),
        ("a b --compare --real b --n-real 41", r"n_real: expected an integer from 2 to 40 .*, got 41"),
        (
            "--fake a --real stats.npz --n-real 9",
            "n_real: expected none against the statistics of 'stats.npz'",
        ),
        ("--real b --save-reference s.npz --n-real 41", "n_real: expected an integer from 2 to 40"),
        (
            "--real b --save-reference s.npz --n 9",
            "n: expected none beside --save-reference.*; --n-real says",
        ),
        ("--real b --save-reference s.npz --metrics fd", "metrics: expected none beside --save-reference"),
        ("--real b --save-reference s.npz --json j", "json: expected none beside --save-reference"),
        ("--fake a --real b --checkpoint 3", r"checkpoint: expected runs, .*, got images \('b'\)"),
        ("a b", "runs: expected one run"),
        ("a --compare", "compare: expected two runs or sets of images, got 1"),
        ("a --fake b --real b", "fake: expected a run or --fake and --real, got both"),
        ("a", "run: expected the folder of a run"),
    ],
)
def test_bad_input_is_one_line(folders, cache, capsys, monkeypatch, arguments, message):
    (folders / "empty").mkdir(exist_ok=True)
    bad_npz(folders / "nan.npz", images=np.full((4, 16, 16, 3), np.nan, np.float32))
    bad_npz(folders / "stats.npz", mu=np.zeros(5), sigma=np.eye(5))
    monkeypatch.chdir(folders)
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: (_ for _ in ()).throw(OSError("offline")))
    assert main(["evaluate", *arguments.split()]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    import re

    assert re.search(message, error), error


def test_features_of_ones_own(folders, cache, tmp_path):
    (tmp_path / "own.py").write_text("def means(images):\n    return images.mean((1, 2)) / 255.0\n")
    scores, _ = evaluate_images(
        str(folders / "a.npz"), str(folders / "b.npz"), Protocol(features=f"{tmp_path / 'own.py'}:means")
    )
    a, b = (np.load(folders / f"{x}.npz")["images"].mean((1, 2)) / 255 for x in "ab")
    assert values(scores)["fd_means"] == pytest.approx(frechet_distance(*moments(b), *moments(a)), rel=1e-4)
    (tmp_path / "bad.py").write_text("def f(images):\n    return images\n")
    with pytest.raises(InputError, match=r"features: expected features \[100, d\] of 'f'"):
        evaluate_images(str(folders / "a"), str(folders / "b"), Protocol(features=f"{tmp_path / 'bad.py'}:f"))


# --- references -----------------------------------------------------------------------------------------


def test_statistics_are_saved_read_and_compared_with(folders, cache, tmp_path, capsys):
    stats = tmp_path / "stats.npz"
    assert main(["evaluate", "--real", str(folders / "b"), "--save-reference", str(stats)]) == 0
    gaussian, protocol = load_reference(stats)
    assert protocol["n"] == 40
    with pytest.warns(UserWarning, match="cannot fill"):
        direct, _ = evaluate_images(str(folders / "a"), str(folders / "b"), Protocol(metrics="fd"))
    by_file, _ = evaluate_images(str(folders / "a"), str(stats), Protocol())
    assert values(by_file) == pytest.approx(values(direct), rel=1e-9)
    save_reference(stats, gaussian, {**protocol, "features": "random_cnn@000000000000"})
    with pytest.raises(InputError, match="features: expected random_cnn@000000000000"):
        evaluate_images(str(folders / "a"), str(stats), Protocol())


def test_statistics_are_of_as_many_reals_as_asked_for(folders, cache, tmp_path):
    stats = tmp_path / "stats.npz"
    arguments = ["--real", str(folders / "b.npz"), "--features", "random_cnn", "--n-real", "9"]
    assert main(["evaluate", *arguments, "--save-reference", str(stats)]) == 0
    gaussian, protocol = load_reference(stats)
    images = np.load(folders / "b.npz")["images"]
    chosen = images[np.random.default_rng(20140610).permutation(40)[:9]]
    features = get_features("random_cnn", open_source(str(folders / "b.npz")))(chosen)[0]
    assert protocol["n"] == 9
    np.testing.assert_allclose(gaussian.mean, moments(features)[0], rtol=1e-4, atol=1e-6)


def test_points_are_scored_by_their_own_numbers(tmp_path, capsys):
    path = str(untrained(small(tmp_path, "toy-ring", steps=10, data=DataConfig("ring"))).path)
    assert main(["evaluate", path, "--n-real", "9"]) == 2
    refused = "error: n_real: expected none for 'ring', scored by a protocol without it, got 9\n"
    assert capsys.readouterr().err == refused
    assert main(["evaluate", path, "--metrics", "fd"]) == 2
    own = "mode_kl, modes, high_quality, reverse_kl, sliced_wasserstein"
    refused = f"error: metrics: expected none for 'ring', which has its own scores ({own}), got 'fd'\n"
    assert capsys.readouterr().err == refused
    cut = "warning: n: 9 fakes were asked for, and these scores are of 2,500"
    for n, said in (("9", [cut]), ("2500", [])):
        assert main(["evaluate", path, "--n", n]) == 0
        assert [line for line in capsys.readouterr().err.splitlines() if "fakes were" in line] == said


def test_a_published_file_of_mu_and_sigma_is_read(tmp_path):
    path = tmp_path / "published.npz"
    np.savez(path, mu=np.arange(3.0), sigma=np.eye(3))
    gaussian, protocol = load_reference(path)
    assert protocol == {}
    np.testing.assert_array_equal(gaussian.mean, np.arange(3.0))
    for wrong in (
        {"mu": np.zeros(3)},
        {"mu": np.zeros(3), "sigma": np.eye(2)},
        {"mu": np.zeros(1), "sigma": [[np.nan]]},
    ):
        np.savez(path, **wrong)
        with pytest.raises(InputError, match=r"^reference: .*expected"):
            load_reference(path)
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match="reference: cannot read"):
        load_reference(path)


def test_the_cached_reference_follows_the_content(cache):
    fake = FixedImages(digits(200, 600))
    first = ImageEvaluator(digits(300), metrics=("fd",))
    expected = first.quick(fake, 200)
    stored = list((cache / "references").iterdir())
    assert len(stored) == 1
    gaussian, protocol = load_reference(stored[0])
    save_reference(stored[0], Gaussian(gaussian.mean + 1, gaussian.cov), protocol)
    assert ImageEvaluator(digits(300), metrics=("fd",)).quick(fake, 200) > expected + 1
    assert ImageEvaluator(digits(300, 300), metrics=("fd",)).quick(fake, 200) != expected
    stored[0].write_bytes(b"damaged")
    assert ImageEvaluator(digits(300), metrics=("fd",)).quick(fake, 200) == pytest.approx(expected)


# --- comparisons and runs ---------------------------------------------------------------------------------


def test_two_generators_are_compared(cache):
    real, network = digits(600), dataclasses.replace(mnist_cnn.features(), batch=200)
    evaluate = ImageEvaluator(real, network=network, metrics=("fd", "kd", "prdc"))
    same, other = digits(400, 1000), digits(400, 2000)
    noisy = np.clip(
        other.images.astype(int) + np.random.default_rng(0).integers(-40, 40, other.images.shape), 0, 255
    )
    worse = dataclasses.replace(other, images=noisy.astype(np.uint8))
    a, b, c = (evaluate(FixedImages(x), 400) for x in (same, other, worse))
    for name, difference in compare(a, a).items():
        assert difference.difference == 0, name
        assert difference.winner == ""
    close, far = compare(a, b), compare(a, c)
    assert not [name for name, d in close.items() if d.interval is None]
    assert far["fd_mnist_cnn"].winner == "a"
    assert far["kd_mnist_cnn"].winner == "a"
    assert compare(c, a)["kd_mnist_cnn"].winner == "b"
    low, high = far["kd_mnist_cnn"].interval
    assert low < far["kd_mnist_cnn"].difference < high
    with pytest.raises(InputError, match="same scores"):
        compare(a, ImageEvaluator(real, network=network, metrics=("fd",))(FixedImages(same), 400))


def test_two_runs_are_compared(run, folders, cache, tmp_path, capsys):
    out = tmp_path / "c.json"
    assert main(["evaluate", str(run), str(run), "--compare", "--n", "150", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "no difference shown" in printed
    assert json.loads(out.read_text())["differences"]["recall"]["difference"] == 0
    arguments = [str(folders / "a"), str(folders / "b"), "--compare", "--real", str(folders / "b.npz")]
    assert main(["evaluate", *arguments, "--metrics", "prdc"]) == 0
    assert "40 fakes each, 40 reals" in capsys.readouterr().out


def test_all_checkpoints_are_scored_and_reported(run, cache, capsys):
    assert main(["evaluate", str(run), "--checkpoint", "all", "--n", "150", "--metrics", "fd,prdc"]) == 0
    out = capsys.readouterr().out
    assert "step 10\n" in out
    assert "step 20\n" in out
    assert [e["final"]["step"] for e in json.loads((run / "evaluations.json").read_text())] == [10, 20]
    assert main(["evaluate", str(run), "--checkpoint", "10", "--n", "150", "--metrics", "fd,prdc"]) == 0
    assert len(json.loads((run / "evaluations.json").read_text())) == 2  # again, in place of the first
    assert "<h2>Evaluations</h2>" in (run / "report.html").read_text()


def test_evaluations_of_another_protocol_are_kept_side_by_side(tmp_path):
    folder, usual = RunFolder(tmp_path), {"n_fake": 9, "n_real": 9, "features": "random_cnn@1"}
    usual |= {"value": 0.5, "floor": None}
    others = [usual | other for other in ({"n_fake": 8}, {"n_real": 40}, {"features": "random_cnn@2"})]
    for protocol in (usual, *others, usual):
        evaluation.record_evaluation(folder, {"final": {"step": 3, "scores": {"recall": protocol}}})
    kept = [entry["final"]["scores"]["recall"] for entry in folder.read("evaluations.json")]
    assert kept == [*others, usual]


def test_copies_are_shown(cache, tmp_path, capsys):
    np.savez(tmp_path / "few.npz", images=digits(200).images)
    data, path = DataConfig(f"npz:{tmp_path / 'few.npz'}"), tmp_path / "copies.png"
    run = untrained(small(tmp_path, data=data)).path
    arguments = [str(run), "--n", "150", "--metrics", "memorisation", "--copies", str(path)]
    assert main(["evaluate", *arguments]) == 0
    with Image.open(path) as picture:
        assert picture.size[0] > 8 * 28
    assert main(["evaluate", str(run), "--n", "150", "--metrics", "prdc", "--copies", str(path)]) == 2
    assert "copies: expected 'memorisation'" in capsys.readouterr().err


def test_feature_networks_by_name():
    source = open_source("mnist", "test")
    assert get_features("auto", source).name == get_features("mnist_cnn", source).name == "mnist_cnn"
    assert get_features("random_cnn", source).name == "random_cnn"
    assert {"inception", "dinov2_vitl14"} <= set(FEATURES)
    with pytest.raises(InputError, match="have none to be given"):
        get_features("random_cnn", source, weights="x")


def test_runs_on_other_parts_of_the_same_data_are_refused_with_what_differs(tmp_path, monkeypatch):
    np.savez(tmp_path / "x.npz", images=np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8))
    name = f"npz:{tmp_path / 'x.npz'}"
    whole, part = open_source(name), open_source(name, hold_out=0.1)
    opened = iter([whole, part, whole, open_source(name, resolution=4)])
    monkeypatch.setattr(evaluation, "open_run", lambda *args, **options: (None, next(opened)))
    says = "of which they trained on different parts: 40 examples, with none held out and 36 examples, with 4 more"
    with pytest.raises(InputError, match=f"got '{name}', {says}"):
        evaluation.evaluate_two_runs(tmp_path, tmp_path, "last", Protocol(10))
    with pytest.raises(
        InputError, match="opened in different ways: 40 examples of 8x8x1, .* 40 examples of 4x4x1"
    ):
        evaluation.evaluate_two_runs(tmp_path, tmp_path, "last", Protocol(10))


def test_few_fakes_are_scored_against_all_reals_on_request(folders, tmp_path):
    images = np.load(folders / "a.npz")["images"]
    np.savez(tmp_path / "few.npz", images=np.load(folders / "b.npz")["images"][:9])
    fake, real = str(tmp_path / "few.npz"), str(folders / "a.npz")
    with pytest.warns(
        UserWarning, match="real: 9 of 40 images are used, as many as fakes; --n-real 40 uses them"
    ):
        evaluate_images(fake, real, Protocol(metrics="prdc", features="random_cnn"))
    protocol = Protocol(metrics="prdc", features="random_cnn", n_real=40)
    found = evaluate_images(fake, real, protocol)[0]["final"]["scores"]
    network = get_features("random_cnn", open_source(real))
    expected = prdc(network(images)[0], network(np.load(fake)["images"])[0])
    for name in ("precision", "coverage"):
        assert (found[name]["n_real"], found[name]["n_fake"]) == (40, 9)
        assert found[name]["value"] == pytest.approx(expected[name])
