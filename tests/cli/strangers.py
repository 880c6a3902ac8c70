"""Files of a stranger, who plugs in something of each kind: right ones and wrong ones."""

HEAD = """
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import Game, Penalty, Player, Scene, Term, Turn
from jaxgan.augment import Augmentation
from jaxgan.data import POINT, Arrays, Draws
from jaxgan.data.source import Finite
from jaxgan.penalties import stateless


class Net(nn.Module):
    width: int
    out: int

    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        y = nn.Dense(self.out)(nn.tanh(nn.Dense(self.width)(x)))
        return y if self.out > 1 else y[:, 0]
"""

LOSS = """
softplus = jax.nn.softplus
loss = (lambda real, fake: softplus(-real) + softplus(fake)), (lambda real, fake: softplus(-fake))
"""

# drift remembers how large logits have been, and draws them to less.
PENALTY = """
def drift(*, power: float = 2.0, decay: float = 0.9):
    def value(memory, scene, keys):
        size = jnp.abs(scene.critic(scene.reals).reshape(len(keys), -1)).mean(1)
        mean = decay * memory["size"] + (1 - decay) * jax.lax.stop_gradient(size).mean()
        return size**power, {"size": mean.astype(jnp.float32)}

    return Term(lambda: {"size": jnp.zeros(())}, value)
"""

# A key that is kept in the memory and split at each update.
RENEWED = PENALTY.replace("Term(lambda: {", 'Term(lambda: {"key": jax.random.key(0), ')
RENEWED = RENEWED.replace(
    "def value(memory, scene, keys):",
    """def value(memory, scene, keys):
        key, own = jax.random.split(memory["key"])""",
)
RENEWED = RENEWED.replace("size**power, {", "size**power * jax.random.uniform(own), {")
RENEWED = RENEWED.replace("(jnp.float32)}", '(jnp.float32), "key": key}')

MODEL = """
@dataclass(frozen=True)
class Tiny:
    width: int = 8
    conditional = False
    convolutional = False

    def build(self, shape, n_classes):
        if len(shape) != 1:
            raise ValueError("points only")
        return Net(self.width, shape[0]), Net(self.width, 1)
"""

SOURCE = """
def cloud():
    x = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    return Arrays("cloud", {"image": x}, POINT)

def draw(key):
    return {"image": jax.random.normal(key, (2,))}

endless = Draws("endless", draw, POINT, "endless-1", "image")

class Own(Finite):
    name, modality, example, class_names, fingerprint, skipped = "own", POINT, "image", (), "own-1", 0

    def __init__(self):
        self.arrays = {"image": np.random.default_rng(1).normal(size=(500, 2)).astype(np.float32)}

still = Arrays("still", {"image": np.ones((500, 2), np.float32)}, POINT)
"""

DEAF = """
deaf = Draws("deaf", lambda key: draw(jax.random.key(7)), POINT, "deaf-1", "image")
half = lambda key: {**draw(jax.random.key(7)), "label": jax.random.randint(key, (), 0, 2)}
half_deaf = Draws("half", half, POINT, "half-1", "image", ("a", "b"))
"""

AUGMENTATION = """
def shake(keys, x):
    return x + 0.1 * jax.vmap(lambda key: jax.random.normal(key, x.shape[1:], x.dtype))(keys)

def grow(memory, x, keys, step):
    return x + memory["p"] * (shake(keys, x) - x)

def grown():
    learn = lambda memory, reals, fakes: {"p": memory["p"] + 0.01 * jnp.sign(reals).mean()}
    return Augmentation(grow, lambda: {"p": jnp.zeros(())}, learn)

def shaken(scale: float = 0.5):
    return Augmentation(lambda memory, x, keys, step: x * (1 + scale))
"""

GAME = """
def autoencoder(batch, config):
    d = batch["image"].shape[1]

    def error(view):
        x = view.batch["image"]
        return jnp.square(view("decoder", view("encoder", x)) - x).mean()

    names = ("encoder", "decoder")
    return Game(
        players={name: Player(Net(4, d), config.g_optimizer.build(config.steps)) for name in names},
        turns=tuple(Turn(name, (name,), error) for name in names),
        inputs=lambda batch: {name: (batch["image"],) for name in names},
    )
"""

RIGHT = {  # NAME -> (kind, text of its file)
    "loss": ("loss", HEAD + LOSS),
    "drift": ("penalty", HEAD + PENALTY),
    "Tiny": ("model", HEAD + MODEL),
    "cloud": ("source", HEAD + SOURCE),
    "endless": ("source", HEAD + SOURCE),
    "shake": ("augmentation", HEAD + AUGMENTATION),
    "Own": ("source", HEAD + SOURCE),
    "still": ("source", HEAD + SOURCE),
    "grown": ("augmentation", HEAD + AUGMENTATION),
    "shaken": ("augmentation", HEAD + AUGMENTATION),
    "autoencoder": ("game", HEAD + GAME),
}


def but(text: str, old: str, new: str) -> str:
    """The text with one thing done wrong."""
    assert text.count(old) == 1, old
    return HEAD + text.replace(old, new)


NET = "class Net2(Net):\n    @nn.compact\n    def __call__(self, x, label=None, *, train=False):\n"
NET += '        self.param("spare", nn.initializers.ones, (3,))\n'
NET += "        return nn.Dense(1)(x)[:, 0]\n"

WAVE = """
@jax.custom_vjp
def wave(x):
    return jnp.sin(x)

wave.defvjp(lambda x: (jnp.sin(x), x), lambda x, slope: (slope * jnp.cos(x),))


class Wavy(Net):
    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        y = nn.Dense(self.out)(wave(nn.Dense(self.width)(x)))
        return y if self.out > 1 else y[:, 0]
"""
ROOT = """
@jax.custom_jvp
def root(x):
    return jnp.sqrt(x)

@root.defjvp
def slope_of_root(x, along):
    safe = jnp.where(x[0] > 0, x[0], 1.0)
    return root(x[0]), along[0] * jnp.where(x[0] > 0, 0.5 / jnp.sqrt(safe), 0.0)
"""
WAVY = WAVE + MODEL.replace("Net(self.width,", "Wavy(self.width,")
ROOTED = ROOT + WAVY.replace("wave(nn.Dense(self.width)(x))", "root(nn.relu(nn.Dense(self.width)(x)))")

# NAME and text -> (the law that it breaks, what is said of it)
WRONG = {
    "a cut gradient": (
        "drift",
        but(PENALTY, "return size**power", "return jax.lax.stop_gradient(size) ** power"),
        "gradient",
        "the gradient of its value in the discriminator's parameters is 0, but its value changes with them: it is cut",
    ),
    "a sum instead of a mean": (
        "drift",
        but(PENALTY, "return size**power", "return size**power * len(keys)"),
        "batch_size",
        "discriminator: its mean depends on the batch size",
    ),
    "a mean already taken": (
        "drift",
        but(PENALTY, "return size**power", "return (size**power).mean()"),
        "form",
        "discriminator: expected one value an example, [6] for logits [6], got []",
    ),
    "a root at 0": (
        "drift",
        but(PENALTY, "return size**power", "return jnp.sqrt(size**power)"),
        "flat",
        "discriminator: the gradient at a constant critic",
    ),
    "a memory that grows": (
        "drift",
        but(PENALTY, '{"size": mean.astype(jnp.float32)}', '{"size": mean[None]}'),
        "memory",
        "discriminator: memory['size'] changes from float32[] to float32[1]",
    ),
    "order matters": (
        "drift",
        but(PENALTY, "return size**power", "return size**power * jnp.arange(len(keys))"),
        "order",
        "discriminator: the values of examples depend on their order in the batch",
    ),
    "an unused parameter": (
        "Tiny",
        but(NET + MODEL, "Net(self.width, 1)", "Net2(self.width, 1)"),
        "gradient",
        "discriminator: no gradient reaches ['spare']: unused, or cut off",
    ),
    "a rule that cuts its own gradient": (
        "Tiny",
        but(WAVY, "slope * jnp.cos(x)", "slope * jax.lax.stop_gradient(jnp.cos(x))"),
        "second",
        "discriminator: the gradient of R1 differs by ",
    ),
    "probabilities": (
        "Tiny",
        but(MODEL, "Net(self.width, 1)", "nn.Sequential([Net(self.width, 1), nn.sigmoid])"),
        "range",
        "discriminator: expected logits, which can be any number, but its answers stay in [0, 1]",
    ),
    "three networks": (
        "Tiny",
        but(MODEL, "Net(self.width, 1)", "Net(self.width, 1), Net(self.width, 1)"),
        "form",
        "build: expected (generator, discriminator), got tuple of 3",
    ),
    "labels unsaid": (
        "drift",
        but(PENALTY, "return size**power", "return size**power * (1 + scene.labels)"),
        "needs",
        "discriminator: it does not say needs_classes=True, but raises TypeError where the scene is without labels",
    ),
    "latents unsaid": (
        "drift",
        but(PENALTY, "return size**power", "return size**power * scene._replace(mean=None).latents[:, 0]"),
        "needs",
        "discriminator: it uses latents or generate of the scene, but does not say needs_latents=True",
    ),
    "a memory that ends in NaN": (
        "drift",
        but(PENALTY, '"size": mean', '"size": jnp.sqrt(0.9 - memory["size"]) * 0 + memory["size"] + 0.02 + 0 * mean'),
        "memory",
        "discriminator: after 47 updates ['memory']['size'] is not finite",
    ),
    "fakes of another shape": (
        "Tiny",
        but(MODEL, "Net(self.width, shape[0])", "Net(self.width, 5)"),
        "form",
        "generator: expected examples [4, 2] with train=True, got [4, 5]",
    ),
    "draws that are deaf to their key": (
        "deaf",
        HEAD + SOURCE + DEAF,
        "determinism",
        "the same examples for another seed: what is drawn does not hang on the key",
    ),
    "draws whose labels alone hang on their key": (
        "half_deaf",
        HEAD + SOURCE + DEAF,
        "determinism",
        "the same examples for another seed: what is drawn does not hang on the key",
    ),
    "chance without a seed": (
        "cloud",
        but(SOURCE, "default_rng(0)", "default_rng()"),
        "determinism",
        "another fingerprint when it is opened again",
    ),
    "numbers that are none": (
        "cloud",
        but(SOURCE, 'return Arrays("cloud", {"image": x}', 'x[::9] = np.nan; return Arrays("cloud", {"image": x}'),
        "finite",
        "examples['image'] is not finite",
    ),
    "a number that is none among many": (
        "cloud",
        but(SOURCE, 'return Arrays("cloud", {"image": x}', 'x[321, 1] = np.nan; return Arrays("cloud", {"image": x}'),
        "finite",
        "examples['image'] is not finite, in row 321 of 500",
    ),
    "another shape": (
        "shake",
        but(AUGMENTATION, "return x + 0.1", "x = x.repeat(2, 1); return x + 0.1"),
        "form",
        "expected examples of the same shape, (6, 3), got (6, 6)",
    ),
    "one key for all": (
        "shake",
        but(AUGMENTATION, "jax.vmap(lambda key: jax.random.normal(key, x.shape[1:], x.dtype))(keys)",
            "jax.random.normal(keys[0], x.shape, x.dtype)"),
        "keys",
        "the order of examples matters: each is to be drawn by its own key",
    ),
    "one key for all, once it is learned": (
        "grown",
        but(AUGMENTATION, "(shake(keys, x) - x)", "(shake(keys, x) - x)[::-1]"),
        "keys",
        "the order of examples matters: each is to be drawn by its own key",
    ),
    "no number once it is learned": (
        "grown",
        but(AUGMENTATION, "+ memory[\"p\"] *", "+ jnp.sqrt(0.5 - memory[\"p\"]) *"),
        "finite",
        "what is seen at step 0, with a learned memory, is not finite",
    ),
    "no number after some steps": (
        "shaken",
        but(AUGMENTATION, "x * (1 + scale)", "jnp.where(step > 10, jnp.nan, x)"),
        "finite",
        "what is seen at step 1000000 is not finite",
    ),
    "chance without keys": (
        "shake",
        but(AUGMENTATION, "return x + 0.1", "return x + np.random.normal() + 0.1"),
        "determinism",
        "the same keys give other examples the second time",
    ),
    "fakes cut off": (
        "shake",
        but(AUGMENTATION, "return x + 0.1", "return jax.lax.stop_gradient(x) + 0.1"),
        "gradient",
        "the gradient of what is seen in the examples is 0, but what is seen changes with them: it is cut",
    ),
    "a player without a turn": (
        "autoencoder",
        but(GAME, "for name in names),\n        inputs", "for name in names[:1]),\n        inputs"),
        "movers",
        "player 'decoder' never moves: it is among the movers of no turn",
    ),
    "a term's chance by a fixed key": (
        "drift",
        but(PENALTY, "return size**power", "return size**power * jax.random.normal(jax.random.key(0), size.shape)"),
        "chance",
        "discriminator: it draws by a key of its own, the same numbers in every step",
    ),
    "a term's chance by a key that it keeps": (
        "drift",
        but(RENEWED, '"key": key}', '"key": memory["key"]}'),
        "chance",
        "discriminator: it draws by a key of its own, the same numbers in every step",
    ),
    "an augmentation's chance by a fixed key": (
        "shaken",
        but(AUGMENTATION, "x * (1 + scale)", "x + jax.random.normal(jax.random.key(0), x.shape[1:])"),
        "determinism",
        "it draws by a key that is not among its keys",
    ),
    "chance by a fixed key": (
        "autoencoder",
        but(GAME, 'x = view.batch["image"]', 'x = view.batch["image"] + jax.random.normal(jax.random.key(0))'),
        "chance",
        "a step draws by a key that is not of the run",
    ),
    "an array that is none": (
        "autoencoder",
        but(GAME, 'x = view.batch["image"]', 'x = view.batch["picture"]'),
        "form",
        "raises KeyError: 'picture'; the batch has image",
    ),
    "a memory without a name": (
        "autoencoder",
        but(GAME, 'x = view.batch["image"]', 'view.memory["q"] = x = view.batch["image"]'),
        "form",
        "unknown memory 'q'; there are none",
    ),
    "a player that does not matter": (
        "autoencoder",
        but(GAME, 'view("encoder", x))', 'jax.lax.stop_gradient(view("encoder", x)))'),
        "movers",
        "player 'encoder' never moves: its objective does not depend on it",
    ),
    "chance without streams": (
        "autoencoder",
        but(GAME, 'x = view.batch["image"]', 'x = view.batch["image"] + np.random.normal()'),
        "purity",
        "the same state and batch give another",
    ),
}  # fmt: skip
