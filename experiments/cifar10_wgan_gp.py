"""WGAN-GP with residual networks on CIFAR-10 (Gulrajani et al. 2017, Improved training of Wasserstein GANs).

    jaxgan data prepare cifar10
    python experiments/cifar10_wgan_gp.py [flags of jaxgan train, such as --out DIR --seeds 3]
    jaxgan evaluate RUN --metrics fid,is --n 50000

Trains the preset wgan-gp-cifar10; a run that was stopped goes on with `jaxgan resume RUN`.
`jaxgan train cwgan-gp-cifar10` trains the other of the family.

Published: inception score 7.86 without classes, 8.42 with them (50,000 images).
Hardware: one GPU. Hours: about 3 at 20 TFLOP/s, by the 0.24 EFLOP of all its steps as `jaxgan presets` counts an
image; an estimate, as we have not trained it to its end.
"""

import sys

from jaxgan.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "wgan-gp-cifar10", *sys.argv[1:]]))
