"""Anomalies in MNIST and Fashion-MNIST: f-AnoGAN, AnoGAN, BiGAN, VAE beside what people use instead.

    python experiments/applications/anomalies.py --quick --out DIR       one class a protocol, two cores: minutes
    python experiments/applications/anomalies.py --out DIR               all classes; a GPU

Fashion-MNIST is read as `tfds:fashion_mnist` (`jaxgan data prepare fashion_mnist`). Two protocols, in both of which
training sees images of the official train split alone, and the test split is scored:

- one class as the anomaly: trained on the nine others; images of that class are the anomalies;
- one class as normal: trained on that class alone; images of the nine others are the anomalies.

AUROC and average precision (of anomalies), with 95 % bootstrap intervals over the images scored; the mean over classes
has that of the same draws. One training a class, so the spread over trainings is not in these intervals.

What is done is kept in DIR/parts, one file a class, and not done again with the same settings; processes may share a
DIR. The latent search of AnoGAN is slow: it is made for the first of the test images, and baselines are compared with
it on these same ones.

Baselines are fitted to the same training images: a plain autoencoder, the discriminator's logit, and 32 principal
components (of 10,000 of them). Published figures stand beside with their settings; where these differ, that is said.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from in_memory import data_for, part_of, trained
from sections import Section, write

from jaxgan.apps.anomalies import judged
from jaxgan.apps.anomalies.curves import auroc, average_precision, draws
from jaxgan.apps.anomalies.detector import Detector, Scored
from jaxgan.apps.anomalies.images import Given
from jaxgan.apps.anomalies.scores import Components
from jaxgan.cli.arguments import run_script
from jaxgan.common.files import write_atomically
from jaxgan.config import get_preset
from jaxgan.config.fields import with_fields
from jaxgan.data import Images

MEASURES = {"AUROC": auroc, "average precision": average_precision}
PROTOCOLS = {"anomaly": "one class as the anomaly", "normal": "one class as normal"}
WORDS = {
    "izi_f": "f-AnoGAN (izi_f)",
    "anogan": "AnoGAN (latent search)",
    "egbad": "BiGAN (EGBAD's score)",
    "vae": "VAE (reconstruction)",
    "pca": "32 principal components",
    "autoencoder": "plain autoencoder",
    "discriminator": "the discriminator's logit",
}
OURS, BASELINES = ("izi_f", "anogan", "egbad", "vae"), ("pca", "autoencoder", "discriminator")
_RUFF = "Ruff et al. (2018), Deep one-class classification, table 1, mean of the ten classes"
_KUMAR = (
    "Kumar et al. (2019), Maximum entropy generators for energy-based models, its table of anomalies in MNIST (table 4 "
    "of the first version, EnGAN), mean of the digits 1, 4, 5, 7, 9"
)
_OTHER_SPLIT = (
    "the protocol of Zenati et al. (2018), Efficient GAN-based anomaly detection, whose split of the data is another, "
    "so that another share of what is scored is anomalous"
)
PUBLISHED: list[dict[str, Any]] = [
    {
        "what": "mnist, one class as normal",
        "method": "AnoGAN",
        "score": "AUROC",
        "each": (0.966, 0.992, 0.850, 0.887, 0.894, 0.883, 0.947, 0.935, 0.849, 0.924),
        "value": 0.9127,
        "goal": True,
        "source": _RUFF,
        "settings": "the same protocol: trained on one class of the train split, whole test split scored",
    },
    {
        "what": "mnist, one class as normal",
        "method": "Deep SVDD (one-class)",
        "score": "AUROC",
        "each": (0.980, 0.997, 0.917, 0.919, 0.949, 0.885, 0.983, 0.946, 0.939, 0.965),
        "value": 0.948,
        "source": _RUFF,
        "settings": "the same protocol",
    },
    {
        "what": "mnist, one class as normal",
        "method": "OCGAN",
        "score": "AUROC",
        "value": 0.975,
        "source": "Perera, Nallapati, Xiang (2019), OCGAN, its second protocol, mean of the ten classes",
        "settings": "the same protocol",
    },
    {
        "what": "mnist, one class as the anomaly",
        "method": "BiGAN (EGBAD; mean of the digits 1, 4, 5, 7, 9)",
        "score": "average precision",
        "each": (0.287, 0.443, 0.514, 0.347, 0.307),
        "value": 0.380,
        "source": f"Zenati et al. (2018), as quoted by {_KUMAR}",
        "settings": _OTHER_SPLIT,
    },
    {
        "what": "mnist, one class as the anomaly",
        "method": "MEG (mean of the digits 1, 4, 5, 7, 9)",
        "score": "average precision",
        "each": (0.281, 0.401, 0.402, 0.290, 0.342),
        "value": 0.343,
        "source": _KUMAR,
        "settings": _OTHER_SPLIT,
    },
]
"""Figures of others: where they give one a class, `each`, `value` is its mean."""


@dataclass(frozen=True)
class Args:
    """Score detectors of anomalies under two protocols."""

    quick: bool = False
    """Few classes, steps and images, in minutes on two cores."""
    out: pathlib.Path = pathlib.Path("anomalies-experiment")
    """Folder to write."""
    record: bool = False
    """Also write experiments/results/applications/anomalies.json."""
    data: tuple[str, ...] = ("mnist", "fashion_mnist")
    """Data sets."""
    protocols: tuple[str, ...] = ("anomaly", "normal")
    """One class as the anomaly, and one class as normal."""
    classes: tuple[int, ...] | None = None
    """Classes that take the part of the one; None: all, or of --quick 8 alone."""
    steps: int | None = None
    """Steps of the GAN; the encoder, the autoencoders make half as many; None: 3000, or of --quick 600."""
    n_test: int | None = None
    """Test images that are scored; None: all, or of --quick 1000."""
    n_train: int | None = None
    """Training images, at most; None: all, or of --quick 5000."""
    methods: tuple[str, ...] | None = None
    """Of the rows; None: all, or of --quick all but the BiGAN and the VAE."""
    search: int | None = None
    """Test images that the latent search of AnoGAN is made for; None: 2000, or of --quick 100."""


def resolved(args: Args) -> Args:
    """The arguments with what is left out filled in."""
    usual: dict[str, Any] = {
        "classes": (8,) if args.quick else tuple(range(10)),
        "steps": 600 if args.quick else 3000,
        "n_test": 1000 if args.quick else 10000,
        "n_train": 5000 if args.quick else 60000,
        "methods": tuple(m for m in WORDS if not args.quick or m not in ("egbad", "vae")),
        "search": 100 if args.quick else 2000,
    }
    return dataclasses.replace(args, **{k: v for k, v in usual.items() if getattr(args, k) is None})


def _scaled(preset: str, args: Args, steps: int, **changes: Any) -> Any:
    """A preset at the experiment's length and, quick, half its width."""
    config = get_preset(preset)
    return with_fields(
        config,
        **{"model.width": 16 if args.quick else 32, "steps": steps, "log_every": 50, **changes},
    )


def detectors(args: Args, normal: Images) -> dict[str, Any]:
    """Functions images -> Scored, by method."""
    steps, found = args.steps or 0, {}
    half = max(50, steps // 2 // 50 * 50)
    wanted = set(args.methods or ())
    if wanted & {"izi_f", "anogan", "discriminator"}:
        config = _scaled("fanogan", args, steps + half, game_options=(("gan_steps", steps),))
        run = trained(config, normal)
        for method in ("izi_f", "discriminator", "anogan"):
            if method in wanted:
                found[method] = Detector(run, method, steps=60 if args.quick else 300)
    if "egbad" in wanted:
        found["egbad"] = Detector(trained(_scaled("bigan-mnist", args, steps), normal), "egbad")
    for method, preset in (("vae", "vae-mnist"), ("autoencoder", "autoencoder-mnist")):
        if method in wanted:
            found[method] = Detector(trained(_scaled(preset, args, half), normal), "reconstruction")
    if "pca" in wanted:
        seen = normal.images[:10000].astype(np.float32) / 127.5 - 1
        components = Components(seen, 32)
        found["pca"] = lambda images: Scored(*components(images.astype(np.float32) / 127.5 - 1))
    return found


def chosen(
    train: Images, test: Images, protocol: str, one: int, args: Args
) -> tuple[Images, np.ndarray, np.ndarray]:
    """Normal training images, and test images with what is anomalous among them."""
    rng = np.random.default_rng(one)
    labels = np.asarray(train.labels)
    rows = np.flatnonzero((labels == one) == (protocol == "normal"))
    rows = np.sort(rng.permutation(rows)[: args.n_train])
    if args.quick:  # one size for all classes: what is compiled serves all
        rows = rows[: len(rows) // 5000 * 5000] if len(rows) >= 5000 else rows
    looked = np.sort(rng.permutation(len(test))[: args.n_test])
    anomalous = (np.asarray(test.labels)[looked] == one) == (protocol == "anomaly")
    return part_of(train, rows, f"{protocol}-{one}"), test.images[looked], anomalous


def main(parsed: Args) -> None:
    """Trains and scores what is not there yet, and writes a table of all."""
    args = resolved(parsed)
    section = Section(
        "anomalies",
        "Anomalies in MNIST and Fashion-MNIST",
        f"trained on the train split of the normal classes ({args.n_train:,} images at most), "
        f"{args.n_test:,} images of the test split scored ({args.search} for the latent search, and what is beside "
        f"it), classes {', '.join(map(str, args.classes or ()))}; GAN {args.steps} steps, then its encoder half as "
        f"many, as the autoencoders; width {16 if args.quick else 32}; mean over classes, 95 % bootstrap interval over "
        "images",
        args.out,
        quick=args.quick,
    )
    every: list[dict[str, Any]] = []
    for data in args.data:
        for protocol in args.protocols:
            found = [part(data, protocol, one, args, section) for one in args.classes or ()]
            section.rows += rows_of(f"{data}, {PROTOCOLS[protocol]}", found)
            every += [{k: v for k, v in one.items() if k != "drawn"} for one in found]
    section.more = {"classes": every, "published": PUBLISHED}
    names = [f"anomalies-{one['data']}-{one['protocol']}-{one['class']}.png" for one in every]
    section.pictures = [name for name in names if (args.out / name).exists()]
    for goal in goals(section.rows, whole=len(args.classes or ()) == 10):
        section.goal(**goal)
    section.write(record=args.record)


def part(data: str, protocol: str, one: int, args: Args, section: Section) -> dict[str, Any]:
    """The scores of all methods for one class; those in DIR/parts, of the same settings, are read there."""
    told = {k: v for k, v in vars(args).items() if k not in ("out", "record", "data", "protocols", "classes")}
    settings = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
    path = args.out / "parts" / f"{data}-{protocol}-{one}-{settings}.json"
    if path.exists():
        found = json.loads(path.read_text())
        section.before += found["seconds"]
        return found
    begun = time.monotonic()
    normal, images, anomalous = chosen(data_for(data, "train"), data_for(data, "test"), protocol, one, args)
    found: dict[str, Any] = {"data": data, "protocol": protocol, "class": one, "values": {}, "drawn": {}}
    few = slice(args.search or 0)
    for method, detect in detectors(args, normal).items():
        rows = few if method == "anogan" else slice(None)
        if not _both(anomalous[rows]):
            continue
        scored = detect(images[rows])
        _add(found, method, scored.scores, anomalous[rows])
        if method in BASELINES and _both(anomalous[few]):
            _add(found, f"{method} beside anogan", scored.scores[few], anomalous[few])
        if method == "izi_f":
            _picture(args.out, f"{data}-{protocol}-{one}", images, scored)
    found["seconds"] = time.monotonic() - begun
    told = {method: round(own["AUROC"], 3) for method, own in found["values"].items()}
    print(f"{data}, {PROTOCOLS[protocol]}, class {one}: AUROC {told} ({found['seconds']:.0f} s)", flush=True)
    write(path, found)
    return found


def _both(anomalous: np.ndarray) -> bool:
    """Whether there are images of both kinds."""
    return bool(0 < anomalous.sum() < len(anomalous))


def _add(found: dict[str, Any], method: str, scores: np.ndarray, anomalous: np.ndarray) -> None:
    """Adds what scores measure, and bootstrap draws of that."""
    found["values"][method] = {name: measure(scores, anomalous) for name, measure in MEASURES.items()}
    found["drawn"][method] = {
        name: draws(measure, scores, anomalous, times=200).round(5) for name, measure in MEASURES.items()
    }


def rows_of(what: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every method of ours beside every baseline: means over the classes."""
    mean = lambda method, name: float(np.mean([one["values"][method][name] for one in found]))

    def interval(method: str, name: str) -> list[float]:
        drawn = np.mean([one["drawn"][method][name] for one in found], 0)
        return np.quantile(drawn, [0.025, 0.975]).tolist()

    there = [m for m in (found[0]["values"] if found else ()) if all(m in one["values"] for one in found)]
    beside = lambda method, baseline: f"{baseline} beside anogan" if method == "anogan" else baseline
    return [
        {
            "what": f"{what}: {WORDS[method]}",
            "score": name,
            "better": "higher",
            "ours": mean(method, name),
            "interval": interval(method, name),
            "baseline": WORDS[baseline],
            "baseline_value": mean(beside(method, baseline), name),
            "baseline_interval": interval(beside(method, baseline), name),
        }
        for name in MEASURES
        for method in OURS
        for baseline in BASELINES
        if method in there and beside(method, baseline) in there
    ]


def _picture(out: pathlib.Path, name: str, images: np.ndarray, scored: Scored) -> None:
    """A sheet of the least normal images."""
    given = Given([str(i) for i in range(len(images))], images)
    sheet = judged.sheet(given, scored, np.argsort(-scored.scores)[:16])
    write_atomically(out / f"anomalies-{name}.png", sheet)


def goals(rows: list[dict[str, Any]], *, whole: bool) -> list[dict[str, Any]]:
    """Whether f-AnoGAN's mean AUROC reaches what is published, where all classes are there, and the baselines."""
    found = []
    for published in PUBLISHED:
        own = [
            row
            for row in rows
            if row["what"] == f"{published['what']}: {WORDS['izi_f']}" and row["score"] == published["score"]
        ]
        if whole and own and published.get("goal"):
            figure = f"{own[0]['ours']:.3f} against {published['value']:.3f} ({published['method']})"
            found.append(
                {
                    "goal": f"{published['what']}: mean {published['score']} of f-AnoGAN at least that of "
                    f"{published['method']}",
                    "met": own[0]["ours"] >= published["value"],
                    "figure": figure,
                }
            )
    for what in dict.fromkeys(row["what"] for row in rows if row["what"].endswith(WORDS["izi_f"])):
        own = [row for row in rows if row["what"] == what and row["score"] == "AUROC"]
        best = max(own, key=lambda row: row["baseline_value"])
        found.append(
            {
                "goal": f"{what}: AUROC above every baseline's",
                "met": best["ours"] > best["baseline_value"],
                "figure": f"{best['ours']:.3f} against {best['baseline_value']:.3f} ({best['baseline']})",
            }
        )
    return found


if __name__ == "__main__":
    raise SystemExit(run_script(main, Args, __doc__))
