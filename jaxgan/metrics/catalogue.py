"""Every score said once: what it means, which way is better, where its scale ends and how it is named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Kind:
    """How scores of one kind are read, whatever features their names carry.

    Attributes:
      key: the name of the kind, in `SCORES`.
      meaning: what the score says, in a few words.
      better: "lower" or "higher"; "" where neither is, and then the ends of the scale say nothing.
      worst: the worst value that there is; infinity where the scale has no such end.
      best: the best value that there is; infinity where the scale has no such end.
      pattern: what such a score is called: see `name`; "" for the key itself.
    """

    key: str
    meaning: str
    better: str = "lower"
    worst: float = math.inf
    best: float = 0.0
    pattern: str = ""

    def name(self, features: str = "FEATURES", height: int | str = "HEIGHT") -> str:
        """The name of a score of this kind.

        Args:
          features: the label of the network whose features are compared. Distances of the features of the
            original Inception are called "fid", "sfid" and "kid"; all others carry the label in their name.
          height: of the images, in pixels, for kinds that have a score for each size.
        """
        original = features == "inception"
        return (self.pattern or self.key).format(
            fd="fid" if original else f"fd_{features}",
            sfd="sfid" if original else f"sfd_{features}",
            kd="kid" if original else f"kd_{features}",
            mmd=f"mmd_{features}",
            height=height,
        )

    def to_json(self) -> dict[str, Any]:
        """What a file needs to say of a score, for `kind_of` to read; an end at infinity becomes None."""
        finite = lambda end: end if math.isfinite(end) else None
        scale = [finite(self.worst), finite(self.best)]
        return {"key": self.key, "meaning": self.meaning, "better": self.better, "scale": scale}


def kind_of(name: str, stored: Mapping[str, Any]) -> Kind:
    """How a score in a file is read: as the file itself says.

    Files that were written before scores said how they are read give "better" at most. For these the kind
    with that very name is taken; a name that is unknown means nothing, and lower is better.

    Args:
      name: of the score.
      stored: its entry in the file, with what `Kind.to_json` gives among it.
    """
    if {"key", "meaning", "better", "scale"} <= stored.keys():
        worst, best = (math.inf if end is None else end for end in stored["scale"])
        return Kind(stored["key"], stored["meaning"], stored["better"], worst, best)
    known = SCORES.get(name, Kind(name, ""))
    return replace(known, better=stored.get("better", known.better))


def _share(key: str, meaning: str) -> Kind:
    return Kind(key, meaning, "higher", worst=0.0, best=1.0)


def _count(key: str, meaning: str, worst: float = 0.0) -> Kind:
    return Kind(key, meaning, "higher", worst, best=math.inf)


SCORES: Mapping[str, Kind] = {
    kind.key: kind
    for kind in (
        # of images
        Kind("fd", "Fréchet distance of feature statistics: fakes against reals", pattern="{fd}"),
        Kind(
            "fd_infinity",
            "the Fréchet distance, extrapolated to infinitely many fakes",
            pattern="{fd}_infinity",
        ),
        Kind(
            "sfd", "the Fréchet distance of Inception's features that know where things are", pattern="{sfd}"
        ),
        Kind("intra_fd", "mean over classes of the Fréchet distance within the class", pattern="intra_{fd}"),
        Kind(
            "kd",
            "squared maximum mean discrepancy of the features with a cubic kernel, without bias",
            pattern="{kd}",
        ),
        Kind(
            "mmd",
            "squared maximum mean discrepancy of the features with a Gaussian kernel, as in CMMD",
            pattern="{mmd}",
        ),
        _share("precision", "share of fakes that lie among the reals: fidelity"),
        _share("recall", "share of reals that lie among the fakes: variety"),
        _count("density", "how densely reals surround the fakes; can exceed 1"),
        _share("coverage", "share of reals with a fake nearby: variety"),
        _count("inception_score", "sure and evenly spread classes, by the classifier", worst=1.0),
        _count("classes_present", "classes that the classifier finds among the fakes"),
        Kind("class_kl", "KL divergence of the fakes' class histogram from the data's, in nats"),
        _share("authenticity", "share of fakes that are no copies of training images"),
        Kind("ms_ssim_pairs", "mean similarity of random pairs of fakes", worst=1.0),
        Kind("swd", "distance of patches at this level of the Laplacian pyramid", pattern="swd_{height}"),
        Kind(
            "ndb_share",
            "share of the reals' k-means cells that hold significantly more or fewer fakes",
            worst=1.0,
        ),
        Kind(
            "ndb_js",
            "Jensen-Shannon divergence of fakes and reals over the reals' k-means cells, in nats",
            worst=math.log(2),
        ),
        _share("cas", "accuracy on held-out reals of a classifier trained on the fakes alone"),
        _share("cas_augmented", "accuracy on held-out reals of a classifier trained on reals and fakes"),
        # of points and of stacked digits
        Kind("sliced_wasserstein", "distance of point clouds along random directions"),
        _count("modes", "modes with at least one fake (of a mixture: within 3 standard deviations)"),
        _share("high_quality", "share of fakes within 3 standard deviations of a mode"),
        Kind("reverse_kl", "KL divergence of fakes over modes from uniform, in nats"),
        Kind(
            "mode_kl",
            "KL divergence of fakes over modes and the space between from the data's, in nats: modes missing or "
            "unbalanced and points astray all count",
        ),
        # of images that are restored
        Kind("rmse", "root of the mean squared difference from the true image, in the units of its pixels"),
        _count("psnr", "peak signal to noise against the true image, in decibels"),
        _share("ssim", "structural similarity to the true image"),
        _share("ms_ssim", "structural similarity to the true image at five sizes"),
        _count("psnr_given", "the same of the input as it came (enlarged by bicubic where it is smaller)"),
        _share("ssim_given", "the same of the input as it came"),
        _share("ms_ssim_given", "the same of the input as it came"),
        # of a state in training
        Kind(
            "real_sign",
            "mean sign of D on training reals (r_t of ADA): near 1, D is sure of all of them",
            better="",
        ),
        Kind(
            "overfitting",
            "share of D's lead on fakes that held-out reals do not have (r_v of ADA): 0 none, 1 all",
            worst=1.0,
        ),
        Kind(
            "ema_distance",
            "relative distance of the averaged from the current generator's parameters",
            better="",
        ),
        Kind(
            "diversity",
            "mean distance of two fakes over that of two reals, in features: 1 as varied, 0 all alike",
            better="",
        ),
    )
}
"""All kinds of scores by their key; the monitors of `jaxgan.health` are called "health/KEY"."""
