"""Files of a stranger that are neither right nor wrong: what is only noted, and what cannot be looked at."""

from strangers import GAME, HEAD, MODEL, PENALTY, RENEWED, ROOTED, WAVY, but

ANOTHER = "its own rule (custom_vjp or custom_jvp) gives another gradient than the function's, by "

# NAME and text -> (the law that it obeys, what is noted)
NOTED = {
    "a key that is split at each update": (
        "drift",
        HEAD + RENEWED,
        "chance",
        "all that is drawn hangs on the keys",
    ),
    "a gradient that is reversed": (
        "Tiny",
        but(WAVY, "slope * jnp.cos(x)", "-slope * jnp.cos(x)"),
        "gradient",
        f"discriminator: {ANOTHER}",
    ),
    "straight through": (
        "Tiny",
        HEAD + WAVY.replace("jnp.sin(x)", "jnp.round(8 * x) / 8").replace("slope * jnp.cos(x)", "slope"),
        "gradient",
        f"generator: {ANOTHER}",
    ),
    "a root that is safe at 0": ("Tiny", HEAD + ROOTED, "second", "they exist and are finite"),
}

# NAME and text -> what the one line says
LINES = {
    "raises": (
        "drift",
        HEAD + PENALTY + "\n1 / 0\n",
        "running 'stranger.py' raised ZeroDivisionError: division by zero",
    ),
    "another name": (
        "drifft",
        HEAD + PENALTY,
        "unknown thing to check in 'stranger.py' 'drifft'; did you mean 'drift'?",
    ),
    "nothing of a kind": (
        "Turn",
        HEAD.replace("Scene, ", "") + "Turn = 3\n",
        "expected 'stranger.py:Turn' to be a loss",
    ),
    "needs an argument": (
        "f",
        "def f(a):\n    pass\n",
        "'stranger.py:f' cannot be called with no options: missing",
    ),
    "a family with no facts": (
        "Tiny",
        but(MODEL, "    conditional = False\n", ""),
        "expected 'stranger.py:Tiny' to be a frozen dataclass with build(shape, n_classes), conditional and "
        "convolutional, got one without conditional",
    ),
    "a game that raises": (
        "autoencoder",
        but(GAME, 'batch["image"].shape[1]', 'batch["picture"].shape[1]'),
        "game: 'stranger.py:autoencoder' raised KeyError: 'picture'; the batch has image",
    ),
    "a game that is none": (
        "autoencoder",
        but(GAME, "    return Game(", "    return dict("),
        "game: expected 'stranger.py:autoencoder' to return a jaxgan.Game, got dict",
    ),
}
