"""Writes similarity.npz: inputs, and what reference packages make of them.

    pip install --no-deps pytorch-msssim scikit-image lazy-loader imageio lpips pot opencv-python-headless
    python tests/golden/make_similarity.py

Made in float64 with pytorch-msssim 1.0.0, scikit-image 0.26.0, lpips 0.1.4, POT 0.9.7, OpenCV 5.0.0, torch 2.13.0.
"""

import pathlib
import sys
import types

import numpy as np
import torch

for unused in ("torchvision", "torchvision.models", "IPython"):  # lpips imports them for its networks
    sys.modules[unused] = types.ModuleType(unused)
    sys.modules[unused].__dict__.update(models=None, embed=None)

import cv2  # noqa: E402
import lpips  # noqa: E402
import ot  # noqa: E402
import pytorch_msssim  # noqa: E402
from skimage.metrics import peak_signal_noise_ratio, structural_similarity  # noqa: E402

rng = np.random.default_rng(0)


def texture(n, height, width, channels):
    """Waves with a little noise, as uint8."""
    rows, columns = np.mgrid[:height, :width]
    phase = rng.uniform(0, 6, (n, 1, 1, channels))
    waves = np.sin(rows[..., None] / 7 + phase) * np.cos(columns[..., None] / 5 - phase)
    return np.clip(127 + 100 * waves + rng.integers(-2, 3, (n, height, width, channels)), 0, 255).astype(
        np.uint8
    )


def spoilt(x, noise, shift):
    """With noise in blocks of 4x4 pixels and another brightness."""
    n, h, w, c = x.shape
    blocks = rng.integers(-noise, noise + 1, (n, -(-h // 4), -(-w // 4), c)).repeat(4, 1).repeat(4, 2)
    return np.clip(x + blocks[:, :h, :w] + shift, 0, 255).astype(np.uint8)


def torch_images(x):
    """float64 NCHW."""
    return torch.from_numpy(np.moveaxis(x.astype(np.float64), 3, 1))


def skimage_ssim(x, y, data_range):
    """Of each pair, with the window of the paper."""
    options = {"gaussian_weights": True, "use_sample_covariance": False, "sigma": 1.5, "channel_axis": 2}
    pairs = zip(x.astype(np.float64), y.astype(np.float64), strict=True)
    return [structural_similarity(a, b, data_range=data_range, **options) for a, b in pairs]


def msssim(function, x, y, size=11, sigma=1.5, **options):
    """A function of pytorch-msssim, per image, with a window in float64: its own is rounded to float32."""
    win = torch.exp(-((torch.arange(size, dtype=torch.float64) - size // 2) ** 2) / (2 * sigma**2))
    options["win"] = (win / win.sum()).repeat(x.shape[3], 1, 1, 1)
    return function(torch_images(x), torch_images(y), data_range=255, size_average=False, **options).numpy()


out = {}
x = texture(3, 33, 28, 3)
y = spoilt(x, 40, 6)
x[2] = 250 + rng.integers(0, 2, x[2].shape)  # bright and flat: E[x^2] - E[x]^2 has no digits in float32
y[2] = 250 + rng.integers(0, 3, x[2].shape)
out["x"], out["y"] = x, y
out["psnr"] = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in zip(x, y, strict=True)]
out["ssim_skimage"] = skimage_ssim(x, y, 255)
out["ssim_skimage_float"] = skimage_ssim(x / 127.5 - 1, y / 127.5 - 1, 2)
out["ssim_msssim"] = msssim(pytorch_msssim.ssim, x, y)
out["ssim_msssim_7"] = msssim(pytorch_msssim.ssim, x, y, size=7, sigma=1.0, K=(0.02, 0.05))

x = texture(2, 176, 164, 1)
y = spoilt(x, 60, -10)
out["large_x"], out["large_y"] = x, y
out["ms_ssim"] = msssim(pytorch_msssim.ms_ssim, x, y)
out["ms_ssim_odd"] = msssim(pytorch_msssim.ms_ssim, x[:, :163, :161], y[:, :163, :161])
out["ms_ssim_3"] = msssim(pytorch_msssim.ms_ssim, x, y, weights=[0.2, 0.3, 0.5])

shapes = ((2, 5, 4, 8), (2, 3, 3, 6))
total, weighted = torch.zeros(2, 1, 1, 1, dtype=torch.float64), torch.zeros(2, 1, 1, 1, dtype=torch.float64)
for i, shape in enumerate(shapes):
    f, g = np.maximum(rng.normal(0.3, 1, (2, *shape)), 0).astype(np.float32)
    f[0, 0, 0] = 0
    w = rng.uniform(0, 2, shape[3]).astype(np.float32)
    squared = (lpips.normalize_tensor(torch_images(f)) - lpips.normalize_tensor(torch_images(g))) ** 2
    lin = lpips.NetLinLayer(shape[3]).double()
    lin.model[-1].weight.data = torch.from_numpy(w.astype(np.float64)).reshape(1, -1, 1, 1)
    total += lpips.spatial_average(squared.sum(1, keepdim=True))
    weighted += lpips.spatial_average(lin.model(squared)).detach()
    out |= {f"f{i}": f, f"g{i}": g, f"w{i}": w}
out["lpips"], out["lpips_weighted"] = total.numpy().ravel(), weighted.numpy().ravel()

x, y = rng.normal(size=(50, 3)), rng.normal(0.5, 2, (50, 3))
out["points_x"], out["points_y"] = x, y
sliced = []
for seed in (0, 1):  # the directions that jaxgan draws
    directions = np.random.default_rng(seed).normal(size=(3, 64))
    directions /= np.linalg.norm(directions, axis=0)
    sliced.append(ot.sliced_wasserstein_distance(x, y, projections=directions))
out["sliced_wasserstein"] = sliced

image = rng.normal(size=(16, 24)).astype(np.float32)
out["pyramid_image"], out["pyramid_down"] = image, cv2.pyrDown(image)
out["pyramid_up"] = cv2.pyrUp(image)

arrays = {name: np.asarray(value) for name, value in out.items()}
np.savez_compressed(pathlib.Path(__file__).parent / "similarity.npz", **arrays)
for name, value in arrays.items():
    print(name, value if value.size < 8 else value.shape)
