"""Which form of a convolution was the fastest on two CPU cores; experiments/bench_conv.py makes this file's table.

The numbers are (examples, side of the images that come in, their channels, channels that go out, groups).
"""

FASTEST: dict[str, dict[tuple[int, int, int, int, int], str]] = {
    "conv": {(64, 32, 64, 64, 1): "weights"},
    "pointwise": {(64, 16, 64, 64, 1): "plain"},
    "grouped": {(64, 16, 96, 96, 12): "dense"},
    "depthwise": {(64, 16, 64, 64, 64): "shifts"},
    "doubled": {(64, 16, 64, 64, 1): "fused"},
    "halved": {(64, 32, 64, 64, 1): "fused"},
    "spread": {(32, 16, 64, 64, 1): "phases"},
    "strided": {(32, 34, 64, 64, 1): "phases"},
}
