"""Writes tests/golden/distances.json: scores of small random feature sets by the packages that published them.

    pip install torch==2.13.0 scikit-learn && pip install --no-deps prdc==0.2 torch-fidelity==0.4.0
    python tests/golden/make_distances.py

The features come from NumPy's PCG64 by seed, as in tests/test_distances.py; only scores are stored.
"""

import importlib.metadata
import json
import pathlib
import sys
import unittest.mock

import numpy as np

PATH = pathlib.Path(__file__).with_suffix("").with_name("distances.json")


def features(seed, n, d, shift=0.0, scale=1.0):
    """Correlated, skewed features: exp of a random mixture of normals."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(1000 + d).normal(size=(d, d)) / d**0.5
    return np.exp(0.5 * scale * (rng.normal(size=(n, d)) @ mix) + shift)


SETS = {
    "small": (300, 250, 16),
    "wide": (120, 90, 200),
}  # n, m, d; the second has fewer examples than dimensions


def logits(seed, n, classes):
    return 3 * np.random.default_rng(seed).normal(size=(n, classes))


def main():
    import torch
    from prdc import compute_prdc

    for name in ("", ".transforms", ".transforms.functional", ".models", ".datasets"):
        # imported by torch-fidelity, and not used here
        sys.modules.setdefault(f"torchvision{name}", unittest.mock.MagicMock())
    from torch_fidelity.metric_fid import fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric

    result = {"versions": {p: importlib.metadata.version(p) for p in ("prdc", "torch-fidelity", "torch")}}
    for name, (n, m, d) in SETS.items():
        x, y = features(1, n, d), features(2, m, d, 0.1, 1.2)
        stats = [{"mu": a.mean(0), "sigma": np.cov(a, rowvar=False)} for a in (x, y)]
        entry = {
            "torch_fidelity_fid": float(fid_statistics_to_metric(*stats, False)["frechet_inception_distance"])
        }
        for k in (3, 5):
            entry[f"prdc_{k}"] = {a: float(b) for a, b in compute_prdc(x, y, k).items()}
        for degree in (3, 2):
            # one subset of everything: no random choice is left
            size = min(n, m)
            kid = kid_features_to_metric(
                torch.from_numpy(x[:size]),
                torch.from_numpy(y[:size]),
                kid_subsets=1,
                kid_subset_size=size,
                kid_kernel="poly",
                kid_kernel_poly_degree=degree,
                kid_kernel_poly_gamma=None,
                kid_kernel_poly_coef0=1,
                rng_seed=0,
                verbose=False,
            )
            entry[f"kid_{degree}"] = float(kid["kernel_inception_distance_mean"])
        result[name] = entry
    isc = isc_features_to_metric(torch.from_numpy(logits(3, 1000, 10)), splits=10, shuffle=False)
    result["inception_score"] = [float(isc["inception_score_mean"]), float(isc["inception_score_std"])]
    PATH.write_text(json.dumps(result, indent=1) + "\n")
    print(PATH.read_text())


if __name__ == "__main__":
    main()
