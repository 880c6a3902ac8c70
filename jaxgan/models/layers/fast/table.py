"""Which form of a convolution was the fastest on two CPU cores; experiments/bench_conv.py makes this file's table.

Forms of dense layers are an exception: they were the faster ones on another CPU, and on an AMD EPYC the step of the MLP
takes as long with either.

The numbers are (examples, side of the images that come in, their channels, channels that go out, groups).
"""

FASTEST: dict[str, dict[tuple[int, int, int, int, int], str]] = {
    "conv": {
        (64, 32, 64, 64, 1): "weights",
        (64, 16, 64, 64, 1): "weights",
        (64, 4, 64, 64, 1): "weights",
        (64, 32, 16, 16, 1): "weights",
        (64, 32, 3, 64, 1): "weights",
        (64, 32, 64, 3, 1): "plain",
        (64, 8, 256, 256, 1): "plain",
    },
    "pointwise": {
        (64, 16, 64, 64, 1): "product",
    },
    "grouped": {
        (64, 16, 96, 96, 12): "dense",
        (64, 4, 96, 96, 12): "dense",
    },
    "depthwise": {
        (64, 16, 64, 64, 64): "dense",
    },
    "doubled": {
        (64, 16, 64, 64, 1): "fused",
        (64, 4, 64, 64, 1): "fused",
        (64, 16, 16, 16, 1): "phases",
        (64, 4, 256, 256, 1): "fused",
    },
    "halved": {
        (64, 32, 64, 64, 1): "fused",
        (64, 8, 64, 64, 1): "fused",
        (64, 32, 16, 16, 1): "phases",
        (64, 8, 256, 256, 1): "fused",
    },
    "spread": {
        (32, 16, 64, 64, 1): "phases",
        (32, 4, 128, 128, 1): "phases",
    },
    "strided": {
        (32, 34, 64, 64, 1): "phases",
        (32, 10, 128, 128, 1): "phases",
    },
    "dense": {
        (64, 1, 1024, 784, 1): "transposed",
        (64, 1, 512, 1024, 1): "transposed",
        (64, 1, 784, 512, 1): "plain",
        (64, 1, 256, 512, 1): "plain",
        (64, 1, 100, 256, 1): "plain",
    },
}
