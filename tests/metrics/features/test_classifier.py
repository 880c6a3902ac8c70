"""The classifier trained on the data itself, its cache, its command, and the classification accuracy score."""

import hashlib
import json
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.data import Images, fingerprint, open_source
from jaxgan.metrics import make_evaluator
from jaxgan.metrics.cas import classification_accuracy_score
from jaxgan.metrics.features import classifier, features_for, fitting, mnist_cnn, residual_cnn
from jaxgan.metrics.features.residual_cnn import ResidualCNN

CLASSES, STEPS, BATCH = 6, 60, 32  # the same everywhere: compiled once
views = jax.jit(fitting.views, static_argnames="flip")


@pytest.fixture(autouse=True, scope="module")
def small():
    """A narrower network everywhere: the tests are about what is done with it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(residual_cnn, "ResidualCNN", partial(ResidualCNN, widths=(8, 16, 32), blocks=(0, 1, 0)))
        yield


def stripes(n, seed, noise=20):
    """Rows, columns and squares of period 4 and 8, at any phase, in noise: uint8 [n, 16, 16, 1] and classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % CLASSES
    y, x = np.mgrid[:16, :16]
    images = []
    for label in labels:
        period, (dy, dx) = (4, 8)[label % 2], rng.integers(0, 8, 2)
        rows, columns = ((y + dy) // (period // 2)) % 2, ((x + dx) // (period // 2)) % 2
        images.append((rows, columns, rows ^ columns)[label // 2])
    noisy = 80 + 100 * np.stack(images)[..., None] + rng.normal(0, noise, (n, 16, 16, 1))
    return noisy.clip(0, 255).astype(np.uint8), labels.astype(np.int32)


def source(n=120, seed=0, name="npz:data/Stripes 2.npz"):
    images, labels = stripes(n, seed)
    return Images(name, images, labels, class_names=tuple("abcdef"), fingerprint=fingerprint(images, labels))


def train(data, n_train=None, **options):
    epochs = STEPS * BATCH / (n_train or len(data))
    return classifier.train(data, epochs=epochs, batch_size=BATCH, **options)


@pytest.fixture(scope="module")
def fitted(small):
    return fitting.fit(*stripes(120, 0), CLASSES, steps=STEPS, batch_size=BATCH)


@pytest.fixture
def splits(monkeypatch):
    """A dataset of two splits, as TFDS has them."""
    both = {"train": source(name="tfds:tiny/v:train"), "test": source(60, 1, "tfds:tiny/v:test")}

    def open_(spec, split, **options):
        if spec != "tfds:tiny/v":
            raise InputError("no such data")
        return both[split]

    monkeypatch.setattr("jaxgan.data.sources.open_source", open_)
    return both


# --- the network ----------------------------------------------------------------------------------


def cost(*shape):
    model = ResidualCNN(3)
    images = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), images)
    features, logits = jax.eval_shape(model.apply, variables, images)
    assert features.shape == (1, 128)
    assert logits.shape == (1, 3)
    return jax.jit(model.apply).lower(variables, images).cost_analysis()["flops"]


def test_images_of_any_size_and_depth_cost_about_as_much():
    most = 1.5 * cost(64, 64, 3)
    for shape in ((16, 16, 1), (28, 28, 2), (32, 32, 4), (33, 20, 3), (256, 256, 3), (500, 40, 3)):
        assert cost(*shape) < most


def test_large_images_are_averaged_exactly():
    image = np.arange(100 * 130, dtype=np.float32).reshape(1, 100, 130, 1)
    got = residual_cnn.averaged_down(jnp.asarray(image))
    assert got.shape == (1, 50, 44, 1)
    np.testing.assert_allclose(got[0, 3, 5, 0], image[0, 6:8, 14:17, 0].mean(), rtol=1e-6)


# --- training -------------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [False, True])
def test_a_view_is_the_image_moved_a_little(flip):
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 24, 2), np.uint8)
    got = np.asarray(views(jnp.asarray(images), 3, 7, flip=flip))
    seen = set()
    for image, view in zip(images, got, strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect")
        options = {
            (dy, dx, turned): moved[:, ::-1] if turned else moved
            for dy in range(5)
            for dx in range(5)
            for turned in (False, True)
            for moved in [padded[dy : dy + 16, dx : dx + 24]]
        }
        match = [how for how, moved in options.items() if (moved == view).all()]
        assert len(match) == 1
        seen |= set(match)
    assert len({how[:2] for how in seen}) > 10
    assert {how[2] for how in seen} == ({False, True} if flip else {False})


def test_a_view_belongs_to_seed_step_and_index():
    """So it cannot depend on how a batch is split over devices."""
    images = jnp.asarray(np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1), np.uint8))
    whole = views(images, 3, 7, flip=True)
    parts = [views(images[i : i + 4], 3, 7, flip=True, first=i) for i in (0, 4)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert (np.asarray(whole) != views(images, 4, 7, flip=True)).any()
    assert (np.asarray(whole) != views(images, 3, 8, flip=True)).any()


def test_it_learns_and_a_seed_gives_the_same_bits(fitted):
    images, labels = stripes(60, 1)
    assert (fitting.predict(fitted, CLASSES, images) == labels).mean() >= 0.95
    records = []
    progress = lambda *record: records.append(record)
    options = {"steps": STEPS, "batch_size": BATCH}
    again = fitting.fit(*stripes(120, 0), CLASSES, on_progress=progress, **options)
    other = fitting.fit(*stripes(120, 0), CLASSES, seed=1, **options)
    assert [record[:2] for record in records] == [(50, STEPS), (STEPS, STEPS)]
    assert records[-1][2] < 1
    leaves = lambda tree: np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])
    assert leaves(again).tobytes() == leaves(fitted).tobytes()
    assert (leaves(other) != leaves(fitted)).any()


def test_what_is_held_out_is_not_trained_on(monkeypatch):
    data, seen = source(), {}

    def fit(images, labels, n_classes, **options):
        seen.update(images=images, labels=labels, **options)
        return {}

    monkeypatch.setattr(classifier, "fit", fit)

    def predict(variables, n_classes, images):
        seen["tested"] = images
        return np.zeros(len(images), int)

    monkeypatch.setattr(classifier, "predict", predict)
    trained = classifier.train(data, epochs=2, batch_size=BATCH)
    keys = lambda images: {image.tobytes() for image in images}
    assert (len(seen["images"]), len(seen["tested"])) == (108, 12)
    assert keys(seen["images"]) | keys(seen["tested"]) == keys(data.images)
    of = {image.tobytes(): label for image, label in zip(data.images, data.labels, strict=True)}
    assert [of[image.tobytes()] for image in seen["images"]] == list(seen["labels"])
    assert trained.accuracy == np.mean([of[image.tobytes()] == 0 for image in seen["tested"]])
    assert seen["steps"] == round(2 * 108 / BATCH)
    classifier.train(data, batch_size=BATCH)  # small data are not seen without end
    assert seen["steps"] == -(-classifier.MAX_EPOCHS * 108 // BATCH)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": None, "class_names": ()}, "expected labelled images .* 'npz:x' without labels"),
        ({"labels": np.full(120, 2, np.int32)}, "at least two classes, got 'npz:x', all of class 'c'"),
        ({"images": np.zeros((120, 15, 20, 1), np.uint8)}, "at least 16 pixels a side"),
        ({"images": np.zeros((120, 20, 20, 5), np.uint8)}, "1 to 4 channels"),
        ({"images": np.zeros((9, 16, 16, 1), np.uint8), "labels": np.arange(9) % 6}, "at least 20 images"),
    ],
)
def test_data_without_a_lesson_are_named(change, message):
    images, labels = stripes(120, 0)
    fields = {"images": images, "labels": labels, "class_names": tuple("abcdef")} | change
    with pytest.raises(InputError, match=message):
        classifier.train(Images("npz:x", fingerprint="0" * 64, **fields))


def test_bad_settings_are_named():
    with pytest.raises(InputError, match="epochs: expected 0 < epochs < inf, got 0"):
        classifier.train(source(), epochs=0)
    images, labels = stripes(20, 0)
    for options, message in (
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"seed": -1}, r"seed: expected an integer from 0 to 4294967295, got -1"),
        ({"batch_size": 1}, "batch_size: expected at least 2"),
    ):
        with pytest.raises(InputError, match=message):
            fitting.fit(images, labels, CLASSES, **options)


# --- the cache ------------------------------------------------------------------------------------


def test_a_trained_classifier_serves_its_data_and_no_other(cache):
    data = source()
    assert classifier.features(data) is None
    assert features_for(data).name == "random_cnn"
    trained = train(data, 108)
    path = classifier.save(trained)
    assert path.parent == cache / "features"
    assert path.name.startswith(data.fingerprint[:16])
    network = features_for(data)
    assert network.name == "stripes_2_cnn"
    assert network.identity == hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    features, logits = network(data.images[:7])
    assert features.shape == (7, 32)
    np.testing.assert_array_equal(
        logits.argmax(1), fitting.predict(trained.variables, CLASSES, data.images[:7])
    )
    assert make_evaluator(data).main == "fd_stripes_2_cnn"
    assert features_for(source(seed=5)).name == "random_cnn"
    metadata = classifier.load(path)[1]
    assert metadata["source"] == data.name
    assert metadata["fingerprint"] == data.fingerprint
    assert metadata["tested_on"] == f"12 held-out images of {data.name}"
    assert float(metadata["accuracy"]) == pytest.approx(trained.accuracy, abs=1e-4)
    assert (metadata["steps"], metadata["seed"], metadata["n_train"]) == (str(STEPS), "0", "108")
    assert {"jax", "jaxgan", "date", "epochs"} <= metadata.keys()


def test_both_splits_share_one_classifier(cache, splits):
    trained = train(splits["train"])
    assert trained.metadata["tested_on"] == "tfds:tiny/v:test"
    images, labels = splits["test"].images, splits["test"].labels
    assert trained.accuracy == (fitting.predict(trained.variables, CLASSES, images) == labels).mean()
    path = classifier.save(trained)
    assert features_for(splits["test"]).identity == features_for(splits["train"]).identity
    assert features_for(splits["test"]).name == "tiny_v_cnn"
    # Trained on the test split instead, it takes the place of the first.
    reverse = classifier.Trained(
        trained.variables,
        0.5,
        trained.metadata
        | {
            "fingerprint": splits["test"].fingerprint,
            "tested_on_fingerprint": splits["train"].fingerprint,
        },
    )
    assert classifier.save(reverse) == path
    assert len(list(path.parent.iterdir())) == 1


def test_of_several_the_one_trained_on_the_source_then_that_of_most_images(cache, fitted):
    train_, part, test = ("a" * 64, "b" * 64, "c" * 64)

    def save(trained_on, tested_on, name, n):
        metadata = {"network": classifier.VERSION, "n_classes": "6", "name": name, "n_train": str(n)}
        metadata |= {"fingerprint": trained_on, "tested_on_fingerprint": tested_on}
        classifier.save(classifier.Trained(fitted, 1.0, metadata))

    def found(content):
        images, labels = stripes(6, 0)
        return classifier.features(
            Images("x", images, labels, class_names=tuple("abcdef"), fingerprint=content)
        ).name

    save(part, test, "part_cnn", 5000)
    assert found(test) == "part_cnn"
    images, labels = stripes(6, 0)
    rest = Images(
        "x", images, labels, class_names=tuple("abcdef"), fingerprint="f" * 64, whole=part
    )  # some of it is held out
    assert classifier.features(rest).name == "part_cnn"
    save(train_, test, "whole_cnn", 50000)
    assert [found(content) for content in (part, train_, test)] == ["part_cnn", "whole_cnn", "whole_cnn"]
    save(test, "", "own_cnn", 100)
    assert found(test) == "own_cnn"


def test_digits_keep_the_shipped_classifier(cache, fitted):
    digits = open_source("mnist", "test")
    metadata = {"network": classifier.VERSION, "n_classes": "6", "name": "other", "n_train": "9"}
    metadata |= {"fingerprint": digits.fingerprint, "tested_on_fingerprint": ""}
    classifier.save(classifier.Trained(fitted, 1.0, metadata))
    assert features_for(digits).name == mnist_cnn.NAME


@pytest.mark.parametrize("damage", ["cut", "text", "foreign"])
def test_a_damaged_classifier_is_an_error_not_other_features(cache, damage, fitted):
    data = source()
    metadata = {"network": classifier.VERSION, "n_classes": "6", "name": "x_cnn", "n_train": "9"}
    metadata |= {"fingerprint": data.fingerprint, "tested_on_fingerprint": ""}
    path = classifier.save(classifier.Trained(fitted, 1.0, metadata))
    assert features_for(data).name == "x_cnn"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_text("{}")
    else:
        classifier.save(classifier.Trained(fitted, 1.0, metadata | {"network": "cnn0"}), path)
    with pytest.raises(InputError, match=f"features: .*{re.escape(path.name)}"):
        features_for(data)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tfds:fashion_mnist:train", "fashion_mnist_cnn"),
        ("tfds:cifar10:train[:5000]", "cifar10_cnn"),
        ("tfds:cmaterdb/bangla:test", "cmaterdb_bangla_cnn"),
        ("folder:/data/My Cats.v2/", "my_cats_v2_cnn"),
        ("folder:pets.zip", "pets_cnn"),
        ("npz:a/b.npz", "b_cnn"),
        ("stacked_mnist:train", "stacked_mnist_cnn"),
        ("mnist:train", "mnist_16x16x1_cnn"),
        ("日本", "images_cnn"),
    ],
)
def test_a_classifier_is_named_after_its_data(name, expected):
    assert classifier.name_of(source(6, name=name)) == expected


def test_the_other_split_is_opened_like_the_source(monkeypatch):
    asked = []

    def open_(spec, split, **options):
        asked.append((spec, split, options["resolution"], options["channels"]))
        raise InputError("none")

    monkeypatch.setattr("jaxgan.data.sources.open_source", open_)
    names = ("tfds:x:train", "tfds:x:test", "tfds:x:train[:9]", "mnist:test", "tfds:x:train+test", "npz:y:z")
    assert [classifier.other_labelled_split(source(6, name=name)) for name in names] == [None] * 6
    assert asked == [
        ("tfds:x", "test", 16, 1),
        ("tfds:x", "train", 16, 1),
        ("tfds:x", "test", 16, 1),
        ("mnist", "train", 16, 1),
    ]


# --- the command ----------------------------------------------------------------------------------


def test_train_features_on_the_command_line(cache, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(classifier, "BATCH_SIZE", BATCH)
    monkeypatch.setitem(classifier.train.__kwdefaults__, "batch_size", BATCH)
    images, labels = stripes(120, 0)
    file, out = tmp_path / "stripes.npz", tmp_path / "kept" / "net.safetensors"
    np.savez(file, images=images, labels=labels)
    epochs = str(STEPS * BATCH / 108)
    status = main(["metrics", "train-features", f"npz:{file}", "--epochs", epochs, "--out", str(out)])
    text = capsys.readouterr().out
    assert status == 0
    assert f"step {STEPS}/{STEPS}" in text
    assert "left" in text
    network = features_for(open_source(f"npz:{file}"))
    assert f"stripes_cnn@{network.identity}; the Fréchet distance is fd_stripes_cnn" in text
    accuracy = float(re.search(r"accuracy +([\d.]+)% of 12 images", text)[1])
    assert accuracy >= 90
    (stored,) = (cache / "features").iterdir()
    assert str(stored) in text
    assert out.read_bytes() == stored.read_bytes()
    # A damaged one can be trained again.
    stored.write_text("damaged")
    assert main(["metrics", "train-features", f"npz:{file}", "--epochs", epochs]) == 0
    assert features_for(open_source(f"npz:{file}")).name == "stripes_cnn"


def test_bad_commands_are_one_line(cache, tmp_path, capsys):
    plain = tmp_path / "plain.npz"
    np.savez(plain, images=stripes(40, 0)[0])
    for arguments, message in (
        ([f"npz:{plain}"], "without labels"),
        (["ring"], "made of points"),
        (["mnist"], "shipped classifier 'mnist_cnn'"),
        (["mnist", "--out", "x.npz"], "expected a .safetensors file"),
        (["mnist", "--epoch", "many"], "error"),
    ):
        assert main(["metrics", "train-features", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert message in error
    assert main(["metrics", "trian-features"]) == 2
    assert "did you mean 'train-features'?" in capsys.readouterr().err
    assert main(["metrics"]) == main(["metrics", "--help"]) == 0
    assert "train-features" in capsys.readouterr().out


# --- classification accuracy score ----------------------------------------------------------------


def score(fake, test, **options):
    return classification_accuracy_score(
        *fake, *test, n_classes=CLASSES, steps=STEPS, batch_size=BATCH, **options
    )


def test_copies_of_the_reals_score_as_the_reals_do():
    real, test = stripes(120, 0), stripes(300, 1, noise=100)
    records = []
    got = score(
        (real[0].copy(), real[1].copy()), test, real=real, on_progress=lambda *r: records.append(r[:3])
    )
    assert got["fake"] == got["real"]
    assert 0.3 < got["fake"]["accuracy"] < 0.95  # or they might be equal for another reason
    assert got["real_and_fake"]["accuracy"] != got["real"]["accuracy"]
    assert got["fake"]["spread"] is None
    assert got["real_and_fake"]["n_train"] == 240
    assert (got["n_test"], got["steps"], got["seeds"]) == (300, STEPS, [0])
    assert list(dict.fromkeys(r[0] for r in records)) == ["fake", "real", "real_and_fake"]
    assert json.loads(json.dumps(got)) == got


def test_labels_that_mean_nothing_score_at_chance_and_wrong_ones_at_zero():
    (images, labels), test = stripes(240, 0), stripes(60, 1)
    shuffled = np.random.default_rng(3).permutation(labels)
    by_chance = score((images, shuffled), test, seeds=(0, 1))
    assert by_chance["fake"]["accuracy"] == pytest.approx(1 / CLASSES, abs=0.2)
    assert by_chance["fake"]["accuracy"] == pytest.approx(np.mean(by_chance["fake"]["by_seed"]))
    assert by_chance["fake"]["spread"] == pytest.approx(np.std(by_chance["fake"]["by_seed"], ddof=1))
    assert "real" not in by_chance
    assert score((images, (labels + 1) % CLASSES), test)["fake"]["accuracy"] < 0.05


def test_a_class_that_the_generator_dropped_is_never_recognised():
    images, labels = stripes(144, 0)
    kept = labels != 4
    test = stripes(60, 1)
    per_class = score((images[kept], labels[kept]), test)["fake"]["per_class"]
    assert per_class[4] == 0
    assert min(per_class[:4] + per_class[5:]) > 0.8
    seen = test[1] != 2
    got = score((images[kept], labels[kept]), (test[0][seen], test[1][seen]))["fake"]
    assert got["per_class"][2] is None
    assert got["accuracy"] == pytest.approx(np.mean([p for p in got["per_class"] if p is not None]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fake": (np.zeros((4, 16, 16, 1)), np.zeros(4, int))}, "fake_images: expected uint8"),
        ({"fake": (np.zeros((4, 16, 16), np.uint8), np.zeros(4, int))}, "fake_images: expected uint8"),
        ({"fake": (np.zeros((4, 18, 18, 1), np.uint8), np.zeros(4, int))}, "fake_images: expected the shape"),
        ({"fake": (np.zeros((4, 16, 16, 1), np.uint8), np.zeros(3, int))}, "fake_images: expected 4 integer"),
        ({"fake": (np.zeros((4, 16, 16, 1), np.uint8), np.zeros(4))}, "integer labels, got float64"),
        ({"fake": (np.zeros((0, 16, 16, 1), np.uint8), np.zeros(0, int))}, "at least one image"),
        ({"test": (np.zeros((4, 16, 16, 1), np.uint8), np.full(4, 6))}, "test_images: .* 0 to 5, got 6 to 6"),
        ({"real": (np.zeros((4, 16, 16, 1), np.uint8), np.full(4, -1))}, "real_images: .* got -1 to -1"),
        ({"seeds": ()}, "seeds: expected one or more"),
        ({"seeds": (1, 1)}, "seeds: expected one or more different seeds"),
    ],
)
def test_bad_input_is_named(change, message):
    options = {"fake": stripes(12, 0), "test": stripes(12, 1)} | change
    with pytest.raises(InputError, match=message):
        score(**options)
    with pytest.raises(InputError, match="n_classes: expected at least 2 classes, got 1"):
        classification_accuracy_score(*stripes(12, 0), *stripes(12, 1), n_classes=1)
