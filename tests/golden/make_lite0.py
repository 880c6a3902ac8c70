"""Writes lite0.json: what PyTorch makes of the weights and images of lite0.py (needs torch; run once).

The network is written out with torch.nn.functional alone, after timm's tf_efficientnet_lite0: TensorFlow's "SAME"
padding, batch normalisation with epsilon 1e-3, ReLU6.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from lite0 import ROWS, image, tensors

T = {name: torch.tensor(value) for name, value in tensors().items()}
STRIDES = (1, 2, 2, 2, 1, 2, 1)


def conv(x, name, stride=1, groups=1):
    weight, pads = T[name + ".weight"], []
    for side in (x.shape[3], x.shape[2]):
        total = max((-(-side // stride) - 1) * stride + weight.shape[-1] - side, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def norm(x, name):
    mean, var, scale, bias = (
        T[f"{name}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias")
    )
    return F.batch_norm(x, mean, var, scale, bias, eps=1e-3)


def run(x):
    maps, number = [], 0
    y = F.relu6(norm(conv(x, "_conv_stem", 2), "_bn0"))
    for row, ((inside, _, _, blocks), stride) in enumerate(zip(ROWS, STRIDES, strict=True)):
        for i in range(blocks):
            name, z = f"_blocks.{number}.", y
            if inside > 1:
                z = F.relu6(norm(conv(z, name + "_expand_conv"), name + "_bn0"))
            z = conv(z, name + "_depthwise_conv", stride if i == 0 else 1, z.shape[1])
            z = norm(conv(F.relu6(norm(z, name + "_bn1")), name + "_project_conv"), name + "_bn2")
            y, number = (z + y if z.shape == y.shape and (i or stride == 1) else z), number + 1
        if row in (1, 2, 4, 6):
            maps.append(y)
    y = F.relu6(norm(conv(y, "_conv_head"), "_bn1")).mean((2, 3))
    return maps, F.linear(y, T["_fc.weight"], T["_fc.bias"])


def main():
    cases = []
    for size in ((64, 64), (50, 75)):
        maps, logits = run(torch.tensor(image(*size)))
        rows = [
            {
                "shape": list(m.shape),
                "mean": m.mean().item(),
                "std": m.std(correction=0).item(),
                "last": m.flatten()[-8:].tolist(),
            }
            for m in maps
        ]
        cases.append({"size": size, "maps": rows, "logits": logits[0, :8].tolist()})
    source = (
        f"huggingface/pytorch-image-models, tf_efficientnet_lite0, written out in torch {torch.__version__}"
    )
    pathlib.Path(__file__).with_name("lite0.json").write_text(
        json.dumps({"source": source, "cases": cases}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
