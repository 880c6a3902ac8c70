"""SNGAN on CIFAR-10 (Miyato et al. 2018, Spectral normalization for generative adversarial networks).

    jaxgan data prepare cifar10
    python experiments/cifar10_sngan.py [flags of jaxgan train, such as --out DIR --seeds 3]
    jaxgan evaluate RUN --metrics fid,is --n 50000

Trains the preset sngan-cifar10; a run that was stopped goes on with `jaxgan resume RUN`.
`jaxgan train csngan-cifar10` trains the other of the family.

Published: inception score 8.22 and FID 21.7 without classes (5,000 fakes).
Hardware: one GPU. Hours: about 4 at 20 TFLOP/s, by the 0.26 EFLOP of all its steps as `jaxgan presets` counts an
image; an estimate, as we have not trained it to its end.
"""

import sys

from jaxgan.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "sngan-cifar10", *sys.argv[1:]]))
