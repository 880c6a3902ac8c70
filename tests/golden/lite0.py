"""Weights of EfficientNet-Lite0 by a formula, under the names of the package on PyPI, and an image; NumPy alone."""

import numpy as np

ROWS = (
    (1, 16, 3, 1),
    (6, 24, 3, 2),
    (6, 40, 5, 2),
    (6, 80, 3, 3),
    (6, 112, 5, 3),
    (6, 192, 5, 4),
    (6, 320, 3, 1),
)


def tensors():
    """Every tensor by name, as PyTorch lays it out."""
    found = {}

    def waves(shape, scale):
        k = np.arange(np.prod(shape), dtype=np.float64)
        return (
            (scale * np.sin(0.7 * len(found) + 12.9898 * k + 0.31 * k**1.5)).reshape(shape).astype(np.float32)
        )

    def conv(name, out, inputs, size):
        found[f"{name}.weight"] = waves((out, inputs, size, size), (4 / (inputs * size * size)) ** 0.5)

    def norm(name, channels):
        found[f"{name}.weight"] = 1 + waves((channels,), 0.2)
        found[f"{name}.bias"] = waves((channels,), 0.5)
        found[f"{name}.running_mean"] = waves((channels,), 0.3)
        found[f"{name}.running_var"] = 1 + waves((channels,), 0.5)

    conv("_conv_stem", 32, 3, 3)
    norm("_bn0", 32)
    channels, number = 32, 0
    for inside, features, size, blocks in ROWS:
        for _ in range(blocks):
            name, hidden = f"_blocks.{number}.", inside * channels
            if inside > 1:
                conv(f"{name}_expand_conv", hidden, channels, 1)
                norm(f"{name}_bn0", hidden)
            conv(f"{name}_depthwise_conv", hidden, 1, size)
            norm(f"{name}_bn1", hidden)
            conv(f"{name}_project_conv", features, hidden, 1)
            norm(f"{name}_bn2", features)
            channels, number = features, number + 1
    conv("_conv_head", 1280, 320, 1)
    norm("_bn1", 1280)
    found["_fc.weight"] = waves((1000, 1280), 0.05)
    found["_fc.bias"] = waves((1000,), 0.1)
    return found


def image(height, width):
    """An image NCHW in [-1, 1]."""
    k = np.arange(3 * height * width)
    return ((((7 * k + 3) % 23) - 11) / 11).reshape(1, 3, height, width).astype(np.float32)
