"""R3GAN on CIFAR-10 (Huang et al. 2024, The GAN is dead; long live the GAN!).

    jaxgan data prepare cifar10
    python experiments/cifar10_r3gan.py [flags of jaxgan train, such as --out DIR --seeds 3]
    jaxgan evaluate RUN --metrics fid,is --n 50000

Trains the preset r3gan-cifar10; a run that was stopped goes on with `jaxgan resume RUN`.
`jaxgan train r3gan-cifar10-unconditional` trains the other of the family.

Published: FID 1.96 with classes (50,000 fakes against the training images).
Hardware: one GPU. Hours: about 500 at 20 TFLOP/s, by the 36 EFLOP of all its steps as `jaxgan presets` counts an
image; an estimate, as we have not trained it to its end.
"""

import sys

from jaxgan.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "r3gan-cifar10", *sys.argv[1:]]))
