"""Names that other tools have for things: what they are called here, or what is nearest.

A clause stands for every name; flags in it are those of `jaxgan train`, unless it names another command. What a name
means to another command, or to `jaxgan train` alone, stands under `IN_COMMANDS`.
"""

from __future__ import annotations

_PLACES = "outdir output output-dir out-dir save-dir result-dir results-dir checkpoints-dir logdir log-dir"
_NUMBERS = "n num num-samples n-samples num-images n-images"
_SEEDS = "random-seed manual-seed manualseed"
_REPEATS = "num-runs repeats n-seeds"
_DATA = "data dataset dataroot data-root data-dir data-path datadir train-data input image-folder"
_SIZES = "imsize img-size image-size size res load-size crop-size img-resolution"
_CHANNELS = "nc n-channels num-channels img-channels"
_FLIPS = "mirror hflip xflip random-flip horizontal-flip"
_CLASSES = "n-classes num-classes conditional model.conditional cond class-cond class-conditional"
_CHECKPOINTS = "resume resume-from pretrained ckpt load continue continue-train"

_CLAUSES: tuple[tuple[str, str], ...] = (
    # --- lengths, sizes, places
    ("lr learning-rate rate", "the learning rate of both players is --lr, of one --g-lr or --d-lr"),
    ("lr-g glr g-learning-rate lr-generator", "the generator's learning rate is --g-lr"),
    ("lr-d dlr d-learning-rate lr-discriminator lr-critic", "the discriminator's learning rate is --d-lr"),
    (
        "bs batch batchsize batch-gpu mini-batch train-batch-size",
        "the batch size is --batch-size, over all devices",
    ),
    (
        "iters iterations niter n-iter max-iter max-steps n-steps num-steps total-steps",
        "the length is --steps",
    ),
    ("n-epochs num-epochs max-epochs epoch niter-decay", "the length in epochs is --epochs"),
    ("total-kimg nimg max-kimg", "the length in thousands of images is --kimg"),
    (_PLACES, "the folder is --out"),
    ("cfg config-file yaml json hparams", "a file of settings is --config FILE (JSON, YAML or TOML)"),
    (
        "save-every save-freq snap save-epoch-freq checkpoint-freq",
        "checkpoints come every --checkpoint-every steps, grids every --sample-every",
    ),
    ("log-freq print-freq print-every display-freq", "the metrics are recorded every --log-every steps"),
    ("eval-every eval-freq", "scores come every --evaluate-every steps"),
    (_NUMBERS, "how many samples there are is said by their seeds: jaxgan sample RUN --seeds 0-4"),
    (_SEEDS, "the seed is --seed"),
    (_REPEATS, "several seeds side by side are --seeds"),
    # --- data
    (_DATA, "the data are --data.source, or the path as an argument: jaxgan train photos/"),
    (_SIZES, "the side of images is --data.resolution"),
    (_CHANNELS, "the channels of images are --data.channels"),
    (_FLIPS, "mirrored images are --data.flip"),
    (
        "workers num-workers n-workers nthreads",
        "there are no loader workers: data lie on the device, or all cores decode them (--data.pipeline)",
    ),
    (
        "placement data.placement",
        "whether data lie on the device (resident) or are streamed (stream) is --data.pipeline",
    ),
    (
        _CLASSES,
        "classes are used by the preset cdcgan-mnist, or by --model.conditional of networks that have it (mlp has none)",
    ),
    ("cifar cifar10 cifar-10", "CIFAR-10 is the data tfds:cifar10, and the preset dcgan-cifar10"),
    ("cifar100", "CIFAR-100 is the data tfds:cifar100"),
    (
        "fashion fashion-mnist fashionmnist",
        "Fashion-MNIST is the data tfds:fashion_mnist, and the preset dcgan-fashion",
    ),
    (
        "celeba celeba-hq ffhq afhq lsun imagenet lsun-bedroom",
        "images of your own are folder:PATH, sets of the TFDS catalogue tfds:NAME (CelebA is tfds:celeb_a)",
    ),
    # --- devices and precision
    (
        "gpus gpu ngpu n-gpu num-gpus n-gpus gpu-ids gpu-id devices nproc",
        "the devices are --compute.devices; all local ones by default",
    ),
    ("device cuda cpu tpu", "the kind of device is the environment variable JAX_PLATFORMS (cpu, cuda, tpu)"),
    (
        "ddp distributed data-parallel multi-gpu",
        "all local devices share the work by themselves (--compute.devices)",
    ),
    (
        "amp fp16 bf16 half mixed-precision precision-fp16",
        "networks compute in bfloat16 with --model.dtype bfloat16",
    ),
    ("no-compile torch-compile jit", "the step is always compiled; how is --compute.how"),
    (
        "accumulate gradient-accumulation gradient-accumulation-steps grad-accum num-accumulations",
        "a batch is taken in parts with --compute.microbatches",
    ),
    ("tf32 allow-tf32 notf32", "the precision of products is --compute.matmul-precision"),
    (
        "gradient-checkpointing grad-checkpointing grad-checkpoint",
        "less is kept for the way back with --compute.remat",
    ),
    # --- logs
    (
        "wandb weights-and-biases mlflow comet trackio use-wandb",
        "every run writes metrics.jsonl and tensorboard/ by itself, and to others with --logger wandb, mlflow or trackio",
    ),
    ("tensorboard tb use-tensorboard tboard", "every run writes tensorboard/ by itself"),
    # --- networks and players
    ("nz latent-dim z-dim zdim latent-size noise-dim dim-z", "the size of the latents is --latent.dim"),
    (
        "ngf ndf fmap-base channel-base cbase g-conv-dim d-conv-dim base-channels",
        "the width of convolutions is --model.width",
    ),
    (
        "arch architecture network net netg netd backbone generator",
        "the networks are --model: mlp, dcgan, resnet, progan, biggan, stylegan2, fastgan, stylegan3, projected, r3gan, gat or "
        "FILE.py:NAME",
    ),
    ("beta1 adam-beta1 betas", "Adam's first beta is --g-optimizer.b1 and --d-optimizer.b1"),
    ("beta2 adam-beta2", "Adam's second beta is --g-optimizer.b2 and --d-optimizer.b2"),
    ("optim optimizer opt optimiser", "the optimisers are --g-optimizer.kind and --d-optimizer.kind"),
    (
        "weight-decay wd",
        "there is no weight decay; nearest are --g-optimizer.orthogonal and --d-optimizer.clip-weights",
    ),
    (
        "scheduler lr-scheduler lr-policy lr-decay lr-schedule",
        "the schedules are --g-optimizer.schedule and --d-optimizer.schedule",
    ),
    (
        "n-critic ncritic critic-iters d-iters n-dis num-d-steps disc-iters d-updates",
        "discriminator updates a step are --d-steps",
    ),
    (
        "clip clip-value weight-clip weight-clipping clamp",
        "weight clipping is --d-optimizer.clip-weights, or all of WGAN with --loss wgan",
    ),
    ("gamma r1-gamma r1-weight r1-reg lambda-r1", "R1 is --penalty.weights r1 GAMMA"),
    ("r2-gamma", "R2 is --penalty.weights r2 GAMMA"),
    (
        "gp lambda-gp gp-weight gp-lambda gradient-penalty-weight 1gp wgangp-penalty",
        "the gradient penalty is --penalty.weights gradient_penalty 10, or all of WGAN-GP with --loss wgan-gp",
    ),
    (
        "0gp zero-gp r0",
        "the penalty of the gradient between reals and fakes around 0 is --penalty.weights zero_centered 10",
    ),
    (
        "sn spectral-norm spectral spectral-normalization use-sn",
        "spectral normalisation is --model.d-spectral-norm, or all of SNGAN with --loss hinge-sn",
    ),
    ("ortho orthogonal ortho-reg", "orthogonal regularisation is --g-optimizer.orthogonal 1e-4"),
    (
        "cr bcr zcr lc consistency-regularization",
        "consistency regularisation is --penalty.weights consistency, balanced_consistency or latent_consistency",
    ),
    ("ppl-weight pl-weight path-length", "the path length penalty is --penalty.weights path_length 2"),
    ("ema-kimg ema-decay ema-beta ema use-ema", "the averaged generator is --ema.decay"),
    (
        "aug augpipe augmentation diffaug diff-augment diffaugment ada apa",
        "augmentation is --augment diffaugment, ada, apa, adaptive or flip_and_shift",
    ),
    (_CHECKPOINTS, "a run goes on with: jaxgan resume RUN"),
    # --- families, as presets, losses or networks
    (
        "gan vanilla vanilla-gan",
        "the first GAN is the preset mlp-mnist; its losses are minimax and non_saturating",
    ),
    (
        "cgan conditional-gan cdcgan projection-gan",
        "class-conditional presets are cdcgan-mnist and csngan-cifar10, with projection",
    ),
    ("acgan ac-gan", "AC-GAN is --model.head ac with --penalty.weights auxiliary_classifier 1"),
    (
        "infogan info-gan",
        "InfoGAN is the preset infogan-mnist, and the game infogan of others: --game infogan",
    ),
    ("wgan", "WGAN is the loss wasserstein; jaxgan train --loss wgan sets what belongs to it"),
    (
        "wgan-gp wgangp wasserstein-gp improved-wgan",
        "WGAN-GP is the preset wgan-gp-mnist; jaxgan train --loss wgan-gp sets what belongs to it",
    ),
    (
        "lsgan ls-gan mse l2",
        "LSGAN is the loss least_squares; jaxgan train --loss lsgan sets what belongs to it",
    ),
    (
        "sngan sn-gan hinge-sn",
        "SNGAN is the loss hinge with spectral normalisation: jaxgan train --loss hinge-sn",
    ),
    ("dragan", "DRAGAN is the penalty dragan; jaxgan train --loss dragan sets what belongs to it"),
    (
        "r3gan rpgan rsgan relativistic rgan rp",
        "R3GAN is the presets r3gan-cifar10 to r3gan-imagenet-64; relativistic losses are relativistic_paired and others, "
        "and jaxgan train --loss r3gan sets R3GAN's",
    ),
    ("ragan esrgan-loss rahinge", "the relativistic average loss is relativistic_average"),
    ("ralsgan ra-lsgan", "its loss is relativistic_average_least_squares"),
    ("sgan standard-gan", "the standard GAN's losses are non_saturating and minimax"),
    (
        "bce nsgan ns logistic softplus cross-entropy non-saturating-logistic",
        "the logistic loss is non_saturating",
    ),
    ("saturating mm", "the saturating loss is minimax"),
    (
        "kl js jsd fgan f-gan",
        "the losses of f-GAN are f_kl, f_reverse_kl, f_jensen_shannon and others that begin with f_",
    ),
    ("mmd mmd-gan mmdgan", "the losses of MMD-GAN are mmd_rbf, mmd_rq and mmd_repulsive"),
    ("began ebgan", "autoencoder critics are not here; nearest is the loss hinge"),
    ("unrolled unrolled-gan", "unrolled updates are --dynamics.unroll 3"),
    ("pacgan", "PacGAN is --dynamics.pack 2"),
    ("biggan big-gan", "BigGAN is the presets biggan-32 to biggan-256 and biggan-deep-32 to biggan-deep-256"),
    ("sagan self-attention", "SAGAN is the presets sagan-cifar10 and sagan-128"),
    (
        "stylegan stylegan2 stylegan2-ada style-gan",
        "StyleGAN2 is the presets stylegan2-auto-64 to stylegan2-ffhq-1024 and stylegan2-cifar10",
    ),
    ("stylegan3", "StyleGAN3 is the presets stylegan3-t-256 to stylegan3-r-1024"),
    ("progan pggan progressive-gan", "the Progressive GAN is the presets progan-cifar10 to progan-1024"),
    ("fastgan", "FastGAN is the presets fastgan-256 and fastgan-1024"),
    ("projected-gan projected", "Projected GAN is the presets projected-gan-256 and projected-gan-lite-256"),
    ("gat", "its networks, on pixels, are the preset gat-pixels-64"),
    (
        "stylegan-xl stylegan-t gigagan",
        "it is not here; nearest are the presets stylegan3-t-256 and r3gan-ffhq-256",
    ),
    (
        "cycle-gan cycle_gan",
        "its presets are cyclegan and cyclegan-256: jaxgan train cyclegan --data.source domains:A,B",
    ),
    ("bigan ali", "BiGAN is the preset bigan-mnist, and the game bigan of others: --game bigan"),
    ("vaegan vae-gan", "VAE-GAN is the preset vaegan-mnist, and the game vae_gan of others: --game vae_gan"),
    ("vae", "the variational autoencoder is the preset vae-mnist, and the game vae of others: --game vae"),
    (
        "adversarial-autoencoder",
        "the adversarial autoencoder is the preset aae-mnist, and the game aae of others: --game aae",
    ),
    ("srgan esrgan", "super-resolution has the preset srgan-128: jaxgan train srgan-128 PHOTOS"),
    (
        "stargan munit stargan2",
        "of the games that translate there are cyclegan (two domains) and pix2pix (pairs): jaxgan train cyclegan",
    ),
    (
        "diffusion ddpm vqgan flow",
        "only adversarial networks are here; jaxgan presets lists what can be trained",
    ),
    # --- scores
    ("fid fid50k fid50k-full fid10k clean-fid frechet", "it is a score: jaxgan evaluate RUN --metrics fid"),
    ("kid kid50k-full", "it is a score: jaxgan evaluate RUN --metrics kid"),
    (
        "pr50k3-full pr precision recall density coverage ipr prdc",
        "it is among the scores of jaxgan evaluate RUN --metrics prdc",
    ),
    ("swd", "the nearest score is sliced_wasserstein, of points: jaxgan evaluate RUN"),
    ("is50k inception", "it is a score: jaxgan evaluate RUN --metrics is"),
    ("lpips", "LPIPS is jaxgan.metrics.perceptual_distance in Python; nearest among the scores is ms_ssim"),
    ("ssim psnr", "nearest among the scores are ms_ssim (diversity) and memorisation (copies)"),
    ("ppl ppl2-wend", "the path length of images is jaxgan.metrics.perceptual_path_length in Python"),
    (
        "metric metrics score scores eval-metrics",
        "scores are named afterwards: jaxgan evaluate RUN --metrics NAMES",
    ),
    ("accuracy classification", "it is the score cas: jaxgan evaluate RUN --metrics cas"),
)
_FILE = (_PLACES, "the file is --out")
_CHECKPOINT = (_CHECKPOINTS, "the checkpoint is --checkpoint")
_OPENED = (
    (_SIZES, "the side of images is --resolution"),
    (_CHANNELS, "the channels of images are --channels"),
)
_CLAUSES_OF: dict[str, tuple[tuple[str, str], ...]] = {
    "train": (
        ("r1", "R1 is --penalty.weights r1 GAMMA"),
        ("r2", "R2 is --penalty.weights r2 GAMMA"),
        (
            "tick kimg-per-tick",
            "intervals are in steps: --log-every, --sample-every, --checkpoint-every, --evaluate-every",
        ),
        ("adam adamw sgd rmsprop", "the kind of optimiser is --g-optimizer.kind and --d-optimizer.kind"),
        ("momentum", "momentum is --g-optimizer.b1 and --d-optimizer.b1, of whatever kind of optimiser"),
        (
            "warmup lr-warmup warmup-steps",
            "rates have no warm-up; their schedules are --g-optimizer.schedule and --d-optimizer.schedule",
        ),
        (
            "grad-clip clip-grad clip-norm max-grad-norm gradient-clipping",
            "gradients are not clipped; nearest is a penalty, such as --penalty.weights r1 1",
        ),
        ("dropout", "dropout is of the networks pix2pix alone: jaxgan train pix2pix"),
        (
            "depth n-layers layers num-layers filters",
            "how large networks are is said by --model.width and others of --model",
        ),
        ("freezed freeze-d", "no layers are frozen here; a run goes on with all of them: jaxgan resume RUN"),
        ("entity project wandb-project", "the tracker is --logger; its project is jaxgan"),
        (
            "penalty penalties reg regularizer",
            "penalties and their weights are pairs, such as --penalty.weights r1 1",
        ),
        ("psi trunc truncation truncation-psi", "truncation is of samples: jaxgan sample RUN"),
        ("eval evaluate test", "a run is scored by: jaxgan evaluate RUN"),
        (
            "cyclegan",
            "its presets are cyclegan and cyclegan-256: jaxgan train cyclegan --data.source domains:A,B",
        ),
        ("pix2pix", "its presets are pix2pix and pix2pix-256: jaxgan train pix2pix --data.source pairs:A,B"),
        (
            _NUMBERS,
            "the length in thousands of images is --kimg, the number of fakes in the final scores --final-n",
        ),
    ),
    "resume": ((_DATA, "where the data are now is --data.source"),),
    "sample": (
        (_PLACES, "the file or folder is --out"),
        (_NUMBERS, "how many samples there are is said by their seeds: --seeds 0-4"),
        (f"{_SEEDS} {_REPEATS}", "the seeds of the samples are --seeds"),
        (_CLASSES, "the classes of the samples are --classes"),
        ("psi trunc truncation-psi", "the truncation is --truncation"),
        _CHECKPOINT,
    ),
    "evaluate": (
        (_NUMBERS, "the number of fakes is --n, of reals --n-real"),
        (_DATA, "the data of a run are --data.source, images to score others against --real"),
        _CHECKPOINT,
        *_OPENED,
    ),
    "export": (_CHECKPOINT,),
    "compare": (_FILE,),
    "losses plot": (_FILE,),
    "data show": (_FILE, (_DATA, "the data are the argument: jaxgan data show photos/"), *_OPENED),
    "metrics train-features": (
        _FILE,
        (_DATA, "the data are the argument: jaxgan metrics train-features photos/"),
        (_FLIPS, "mirrored images are --flip"),
        *_OPENED,
    ),
    "check": ((_DATA, "the data are --data"),),
}


def _by_name(clauses: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {name: clause for names, clause in clauses for name in names.split()}


GLOSSARY = _by_name(_CLAUSES)
IN_COMMANDS = {command: _by_name(clauses) for command, clauses in _CLAUSES_OF.items()}
"""What names mean to one command, such as "sample", in its own flags; it goes before GLOSSARY."""


def about(name: str, command: str = "") -> str | None:
    """What a name of other tools is called here, as a clause; None for a name that is in no glossary.

    Args:
      name: in any case, with or without dashes.
      command: whose flag it was typed as, such as "sample"; "": not as a flag.
    """
    plain = name.strip().lstrip("-").lower().replace("_", "-").replace(" ", "-")
    return IN_COMMANDS.get(command, {}).get(plain) or GLOSSARY.get(plain)
