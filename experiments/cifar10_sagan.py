"""SAGAN on CIFAR-10 (Zhang et al. 2019, Self-attention generative adversarial networks).

    jaxgan data prepare cifar10
    python experiments/cifar10_sagan.py [flags of jaxgan train, such as --out DIR --seeds 3]
    jaxgan evaluate RUN --metrics fid,is --n 50000

Trains the preset sagan-cifar10; a run that was stopped goes on with `jaxgan resume RUN`.
Published: FID 10.4 (StudioGAN, 50,000 fakes against the training images, best checkpoint).
Hardware: one GPU. Hours: about 4 at 20 TFLOP/s, by the 0.27 EFLOP of all its steps as `jaxgan presets` counts an
image; an estimate, as we have not trained it to its end.
"""

import sys

from jaxgan.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "sagan-cifar10", *sys.argv[1:]]))
