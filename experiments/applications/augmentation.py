"""Augmentation by a GAN: does a classifier of few images learn more with fakes of a GAN trained on just those?

    python experiments/applications/augmentation.py --quick --out DIR      MNIST, 20 and 100 a class, two seeds
    python experiments/applications/augmentation.py --out DIR              10 to 500 a class, three sets, a GPU

Of each class so many real images are drawn (by seed). A class-conditional DCGAN with DiffAugment is trained on these
alone, and a small convolutional classifier, for the same number of updates each time, on

- the reals alone,
- the reals with classic augmentation (turned by up to 10 degrees, moved by up to 2 pixels, scaled by up to a tenth;
  photographs are mirrored),
- reals and fakes, half of each batch,
- both.

Accuracy is that on the whole official test split. The verdict compares each with the reals alone, and fakes beside
classic augmentation with classic augmentation, by Student's 95 % interval of the difference over seeds, which share
their images: helps, hurts, or no difference that so many seeds can tell. With --imbalanced half of the classes keep a
fifth of their images, the GAN is trained on that, and fakes come equally of all classes.

Beside it the privacy of the fakes: the share of near-copies (nearer to a training image, in pixels, than 99 % of test
images are to theirs), and the area under the ROC curve with which the discriminator's logit tells training images from
test images, as many of each class (0.5: not at all).
"""

from __future__ import annotations

import functools
import pathlib
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from in_memory import Trained, data_for, trained
from scipy import ndimage
from sections import Section

from jaxgan.apps.anomalies.curves import auroc
from jaxgan.cli.arguments import run_script
from jaxgan.common.statistics import mean_interval
from jaxgan.config import get_preset
from jaxgan.config.fields import with_fields
from jaxgan.data import Images
from jaxgan.models import DCGANConfig
from jaxgan.report import pictures

WAYS = ("alone", "classic", "fakes", "classic and fakes")
VIEWS = 16  # of each image that classic augmentation makes
MIRRORED = ("cifar10",)


@dataclass(frozen=True)
class Args:
    """Compare a classifier with and without a GAN's fakes."""

    quick: bool = False
    """MNIST, 20 and 100 images a class, two seeds, few steps."""
    out: pathlib.Path = pathlib.Path("augmentation")
    """Folder to write."""
    record: bool = False
    """Also write experiments/results/applications/augmentation.json."""
    data: tuple[str, ...] | None = None
    """Data sets; None: mnist fashion_mnist cifar10, or of --quick mnist."""
    per_class: tuple[int, ...] | None = None
    """Images a class; None: 10 20 50 100 500, or of --quick 20 100."""
    seeds: int | None = None
    """Of images, GANs and classifiers; None: 5, or of --quick 2."""
    gan_steps: int | None = None
    """None: 3000, or of --quick 600."""
    steps: int | None = None
    """Updates of a classifier; None: 1500, or of --quick 400."""
    imbalanced: bool = False
    """Half of the classes keep a fifth of their images."""


def main(args: Args) -> None:
    """Trains, tests, writes."""
    quick = args.quick
    sets = args.data or (("mnist",) if quick else ("mnist", "fashion_mnist", "cifar10"))
    sizes = args.per_class or ((20, 100) if quick else (10, 20, 50, 100, 500))
    seeds, privacy, verdicts = args.seeds or (2 if quick else 5), [], []
    section = Section(
        "augmentation",
        "Augmentation by a conditional GAN trained on the same few images",
        f"{seeds} seeds; GAN {args.gan_steps or (600 if quick else 3000)} steps; classifier "
        f"{args.steps or (400 if quick else 1500)} updates of 64; accuracy on the whole test split; 95 % intervals "
        "over seeds",
        args.out,
        quick=quick,
    )
    for data in sets:
        train, test = data_for(data, "train"), data_for(data, "test")
        for size in sizes:
            found: dict[str, list[float]] = {way: [] for way in WAYS}
            copied, told = [], []
            for seed in range(seeds):
                few = drawn(train, size, seed, args.imbalanced)
                gan = conditional_gan(few, seed, args)
                fakes, labels = made(gan, 2000 if quick else 5000, few.n_classes)
                classic = viewed(few.images, np.random.default_rng(seed), data in MIRRORED)
                for way in WAYS:
                    found[way].append(accuracy(way, few, classic, (fakes, labels), test, seed, args))
                copied.append(near_copies(fakes, few.images, test.images))
                told.append(membership(gan, few, test))
                if seed == 0:
                    _picture(section, f"{data}-{size}", few, fakes, labels)
            what = f"{data}, {size} a class{', imbalanced' if args.imbalanced else ''}"
            _add_rows(section, what, found)
            verdicts += [f"{what}: {text}" for text in judged(found)]
            for name, values in (
                ("share of near-copies", copied),
                ("membership AUC of the discriminator", told),
            ):
                own = mean_interval(values)
                privacy.append(
                    {"what": what, "score": name, "value": own.mean, "interval": [own.low, own.high]}
                )
            print(
                what,
                {way: round(float(np.mean(v)), 4) for way, v in found.items()},
                verdicts[-3:],
                flush=True,
            )
    section.more = {"privacy": privacy, "verdicts": verdicts}
    section.goal("a plain verdict for each setting", bool(verdicts), "; ".join(verdicts))
    section.write(record=args.record)


# --- data and the GAN ---------------------------------------------------------------------------------


def drawn(train: Images, size: int, seed: int, imbalanced: bool) -> Images:
    """So many images of each class, by seed; of every second class a fifth, if that is asked for."""
    rng, labels = np.random.default_rng([seed, size]), np.asarray(train.labels)
    rows = []
    for label in range(train.n_classes):
        count = max(2, size // 5) if imbalanced and label % 2 else size
        rows.append(rng.permutation(np.flatnonzero(labels == label))[:count])
    chosen = np.concatenate(rows)
    return Images(
        f"{train.name}, {size} a class, seed {seed}",
        np.ascontiguousarray(train.images[chosen]),
        labels[chosen].astype(np.int32),
        class_names=train.class_names,
        fingerprint=f"{train.fingerprint[:8]}-{size}-{seed}-{imbalanced}",
    )


def conditional_gan(few: Images, seed: int, args: Args) -> Trained:
    """A class-conditional DCGAN with DiffAugment, trained on these images alone."""
    config = with_fields(
        get_preset("cdcgan-mnist"),
        **{
            "model.width": 16 if args.quick else 32,
            "augment": ("diffaugment",),
            "seed": seed,
            "log_every": 50,
            "batch_size": min(64, len(few)),
        },
        steps=args.gan_steps or (600 if args.quick else 3000),
    )
    return trained(config, few)


def made(gan: Trained, n: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Fakes, as many of each class, and their labels."""
    labels = (np.arange(n) % n_classes).astype(np.int32)
    return gan.sampler.by_seed(gan.variables, range(n), labels), labels


def viewed(images: np.ndarray, rng: np.random.Generator, mirrored: bool) -> np.ndarray:
    """Views of each image, turned, moved and scaled a little: uint8 [VIEWS, n, h, w, c]."""
    views = np.empty((VIEWS, *images.shape), np.uint8)
    centre = (np.asarray(images.shape[1:3]) - 1) / 2
    for i in range(VIEWS):
        for j, image in enumerate(images):
            angle, scale = np.deg2rad(rng.uniform(-10, 10)), rng.uniform(0.9, 1.1)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
            offset: Any = centre - turn @ centre + rng.uniform(-2, 2, 2)
            planes = [
                ndimage.affine_transform(image[:, :, c], turn, offset, order=1, mode="nearest")
                for c in range(image.shape[2])
            ]
            view = np.stack(planes, -1)
            views[i, j] = view[:, ::-1] if mirrored and rng.random() < 0.5 else view
    return views


# --- the classifier -----------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4)
def classifier(shape: tuple[int, ...], n_classes: int, width: int, steps: int) -> Any:
    """(start: seed -> state, update: (state, images, labels) -> state, answer: (state, images) -> classes)."""
    net = DCGANConfig(width=width, d_logits=n_classes).build(shape, 0)[1]
    adam = optax.adamw(optax.cosine_decay_schedule(2e-3, steps), weight_decay=1e-3)
    as_seen = lambda x: jnp.asarray(x, jnp.float32) / 127.5 - 1

    @jax.jit
    def start(seed: jax.Array) -> Any:
        variables: Any = net.init(jax.random.key(seed), jnp.zeros((2, *shape)), train=True)
        params = variables.pop("params")
        return params, variables, adam.init(params)

    @jax.jit
    def update(state: Any, x: jax.Array, y: jax.Array) -> Any:
        params, stats, of_adam = state

        def loss(params: Any) -> Any:
            logits, left = net.apply({"params": params, **stats}, as_seen(x), train=True, mutable=list(stats))
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), left

        slopes, stats = jax.grad(loss, has_aux=True)(params)
        updates, of_adam = adam.update(slopes, of_adam, params)
        return optax.apply_updates(params, updates), stats, of_adam

    @jax.jit
    def answer(state: Any, x: jax.Array) -> jax.Array:
        logits: Any = net.apply({"params": state[0], **state[1]}, as_seen(x), train=False)
        return logits.argmax(1)

    return start, update, answer


def accuracy(
    way: str,
    few: Images,
    classic: np.ndarray,
    fakes: tuple[np.ndarray, np.ndarray],
    test: Images,
    seed: int,
    args: Args,
) -> float:
    """On the test split, of a classifier that is trained in one of the WAYS."""
    steps, labels = args.steps or (400 if args.quick else 1500), np.asarray(few.labels)
    start, update, answer = classifier(few.shape, few.n_classes, 16 if args.quick else 32, steps)
    state, rng = start(seed), np.random.default_rng([seed, 1])
    for _ in range(steps):
        rows = rng.integers(len(labels), size=64)
        x = classic[rng.integers(VIEWS, size=64), rows] if "classic" in way else few.images[rows]
        y = labels[rows]
        if "fakes" in way:
            others = rng.integers(len(fakes[1]), size=32)
            x, y = np.concatenate([x[:32], fakes[0][others]]), np.concatenate([y[:32], fakes[1][others]])
        state = update(state, x, y)
    found = [np.asarray(answer(state, test.images[i : i + 500])) for i in range(0, len(test), 500)]
    return float((np.concatenate(found) == np.asarray(test.labels)).mean())


# --- privacy ------------------------------------------------------------------------------------------


def nearest(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The distance of each image to the nearest of the others, in pixels of [0, 1], [n]."""
    x, y = (np.asarray(a, np.float32).reshape(len(a), -1) / 255 for a in (images, others))
    squared = np.square(x).sum(1)[:, None] - 2 * x @ y.T + np.square(y).sum(1)
    return np.sqrt(np.maximum(squared.min(1), 0))


def near_copies(fakes: np.ndarray, training: np.ndarray, test: np.ndarray) -> float:
    """The share of fakes nearer to a training image than 99 % of test images are."""
    return float((nearest(fakes[:1000], training) < np.quantile(nearest(test[:1000], training), 0.01)).mean())


def membership(gan: Trained, few: Images, test: Images) -> float:
    """AUC with which the discriminator's logit tells training images from test images of the same classes."""
    module, variables = gan.game.players["discriminator"].module, gan.players["discriminator"]
    judge = jax.jit(
        lambda x, y: module.apply(variables, jnp.asarray(x, jnp.float32) / 127.5 - 1, y, train=False)
    )
    logits = []
    for images, rows in zip((few, test), alike(np.asarray(few.labels), np.asarray(test.labels)), strict=True):
        labels = jnp.asarray(np.asarray(images.labels)[rows], jnp.int32)
        logits.append(np.asarray(judge(images.images[rows], labels)))
    return auroc(np.concatenate(logits), np.arange(sum(map(len, logits))) < len(logits[0]))


def alike(labels: np.ndarray, others: np.ndarray, most: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """The first rows of two sets with as many of each class in both, at most so many in all; logits differ by class."""
    classes = np.union1d(labels, others)
    found: tuple[list[np.ndarray], list[np.ndarray]] = [], []
    for label in classes:
        rows = [np.flatnonzero(own == label) for own in (labels, others)]
        n = min(*map(len, rows), most // len(classes))
        for chosen, own in zip(found, rows, strict=True):
            chosen.append(own[:n])
    return np.concatenate(found[0]), np.concatenate(found[1])


# --- what comes of it ---------------------------------------------------------------------------------


def judged(found: dict[str, list[float]]) -> list[str]:
    """A plain verdict on each comparison."""
    said = []
    for way, other in (("classic", "alone"), ("fakes", "alone"), ("classic and fakes", "classic")):
        gain = mean_interval(np.asarray(found[way]) - np.asarray(found[other]))
        if gain.low is None or gain.high is None:
            verdict = "one seed tells nothing"
        else:
            verdict = "helps" if gain.low > 0 else "hurts" if gain.high < 0 else "no difference"
            verdict += f" ({100 * gain.mean:+.1f} points, {100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
        said.append(f"{way} against {other}: {verdict}")
    return said


def _add_rows(section: Section, what: str, found: dict[str, list[float]]) -> None:
    for way, other in (("classic", "alone"), ("fakes", "alone"), ("classic and fakes", "classic")):
        baseline = f"reals {other}" if other == "alone" else f"reals with {other} augmentation"
        section.row(f"{what}: {way}", "accuracy", "higher", found[way], baseline, found[other])


def _picture(section: Section, name: str, few: Images, fakes: np.ndarray, labels: np.ndarray) -> None:
    """Reals to the left, fakes to the right, a row a class."""
    rows = []
    for label in range(few.n_classes):
        real = few.images[np.resize(np.flatnonzero(few.labels == label), 8)]
        rows += [*real, *fakes[np.flatnonzero(labels == label)[:8]]]
    section.picture(f"augmentation-{name}.png", pictures.enlarged(pictures.grid(np.stack(rows), 16), 900))


if __name__ == "__main__":
    raise SystemExit(run_script(main, Args, __doc__))
