"""What usually helps against what verdicts say."""

from __future__ import annotations

ADVICE = {
    "mode collapse": (
        "Lower the generator's learning rate or raise the discriminator's (`--g-optimizer.learning-rate 1e-4`); add a "
        "penalty (`--penalty.weights r1 1`); try a relativistic loss (`--loss relativistic_paired`), or let the "
        "discriminator see several images at once (`--dynamics.pack 2`)."
    ),
    "modes are missing": (
        "Train longer if the scores still improve (`--steps 20000`); let the discriminator see several images at once "
        "(`--dynamics.pack 2`); try a relativistic loss (`--loss relativistic_paired`) with "
        "`--penalty.weights r1 0.1 r2 0.1`."
    ),
    "not trained yet": (
        "Train longer (`--steps 20000`); if the scores no longer improve, change the learning rates "
        "(`--g-optimizer.learning-rate 1e-4`, `--d-optimizer.learning-rate 1e-4`)."
    ),
    "discriminator overfits": (
        "More data or augmentation (`--data.flip`, `--augment adaptive`) helps most; then a stronger penalty "
        "(`--penalty.weights r1 10`, or `lecam`), a smaller discriminator, or the best checkpoint instead of the last."
    ),
    "generator starves": (
        "Slow the discriminator down: `--d-optimizer.learning-rate 1e-4`, `--d-steps 1`, a smaller network; smooth it "
        "with `--penalty.weights r1 1`; instead of minimax, `--loss non_saturating`; check that the generator's "
        "learning rate is not far below the discriminator's."
    ),
    "diverging": (
        "Lower both learning rates (`--g-optimizer.learning-rate 1e-4`, `--d-optimizer.learning-rate 1e-4`); bound "
        "the discriminator (`--penalty.weights gradient_penalty 10`), which a Wasserstein loss cannot do without; less "
        "momentum (`--g-optimizer.b1 0`, `--d-optimizer.b1 0`). The best checkpoint is kept."
    ),
}
"""What usually helps, by the verdict; what stands in backquotes can be pasted after `jaxgan train PRESET`."""
_SLOWER = "(`--g-optimizer.learning-rate 1e-4`)"
ADVICE_ALONE = {
    "mode collapse": (
        f"Lower the learning rate {_SLOWER}; train longer (`--steps 20000`); try more or fewer coordinates of the "
        "latent (`--latent.dim 32`)."
    ),
    "modes are missing": (
        "Train longer if the scores still improve (`--steps 20000`); try more coordinates of the latent "
        "(`--latent.dim 32`)."
    ),
    "not trained yet": (
        f"Train longer (`--steps 20000`); if the scores no longer improve, change the learning rate {_SLOWER}."
    ),
    "diverging": (
        f"Lower the learning rate {_SLOWER}; less momentum (`--g-optimizer.b1 0`). The best checkpoint is kept."
    ),
}
"""The same for games in which nobody tells reals from fakes, such as autoencoders."""


def advice_for(name: str, *, judged: bool = True) -> str:
    """What usually helps against what a verdict says.

    Args:
      name: of the verdict.
      judged: whether the game has a discriminator.
    """
    return ADVICE[name] if judged else ADVICE_ALONE.get(name, ADVICE[name])
