"""BigGAN on CIFAR-10 (Brock et al. 2019, Large scale GAN training for high fidelity natural image synthesis).

    jaxgan data prepare cifar10
    python experiments/cifar10_biggan.py [flags of jaxgan train, such as --out DIR --seeds 3]
    jaxgan evaluate RUN --metrics fid,is --n 50000

Trains the preset biggan-32; a run that was stopped goes on with `jaxgan resume RUN`.
`jaxgan train biggan-deep-32` trains the other of the family.

Published: FID 4.16 (StudioGAN, 50,000 fakes against the training images, best checkpoint).
Hardware: one GPU. Hours: about 8 at 20 TFLOP/s, by the 0.6 EFLOP of all its steps as `jaxgan presets` counts an
image; an estimate, as we have not trained it to its end.
"""

import sys

from jaxgan.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "biggan-32", *sys.argv[1:]]))
