"""The Progressive GAN on CIFAR-10 (Karras et al. 2018, Progressive growing of GANs).

    jaxgan data prepare cifar10
    python experiments/cifar10_progan.py [flags of jaxgan train, such as --out DIR --seeds 3]
    jaxgan evaluate RUN --metrics fid,is --n 50000

Trains the preset progan-cifar10; a run that was stopped goes on with `jaxgan resume RUN`.
Published: inception score 8.80 without classes, the best of ten runs of mean 8.56 (50,000 images).
Hardware: one GPU. Hours: about 38 at 20 TFLOP/s, by the 2.8 EFLOP of all its steps as `jaxgan presets` counts an
image; an estimate, as we have not trained it to its end.
"""

import sys

from jaxgan.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "progan-cifar10", *sys.argv[1:]]))
