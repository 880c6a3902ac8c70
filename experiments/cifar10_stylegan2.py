"""StyleGAN2 with ADA on CIFAR-10 (Karras et al. 2020, Training GANs with limited data).

    jaxgan data prepare cifar10
    python experiments/cifar10_stylegan2.py [flags of jaxgan train, such as --out DIR --seeds 3]
    jaxgan evaluate RUN --metrics fid,is --n 50000

Trains the preset stylegan2-cifar10; a run that was stopped goes on with `jaxgan resume RUN`.
`jaxgan train stylegan2-cifar10-cond` trains the other of the family.

Published: FID 2.92 without classes, 2.42 with them (50,000 fakes against the training set).
Hardware: one GPU. Hours: about 140 at 20 TFLOP/s, by the 10 EFLOP of all its steps as `jaxgan presets` counts an
image; an estimate, as we have not trained it to its end.
"""

import sys

from jaxgan.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "stylegan2-cifar10", *sys.argv[1:]]))
