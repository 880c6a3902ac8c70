"""Trains the digit classifier that MNIST generators are scored on, and ships its weights.

    python experiments/train_mnist_cnn.py [--epochs 8] [--seed 0] [--out FILE]

Hardware: two CPU cores. Time: about twelve minutes. Expected: at least 99.3 % of the 10,000 test
digits right (the shipped weights: see the metadata of jaxgan/metrics/features/mnist_cnn.safetensors).
Protocol: all 60,000 training digits, shifted at random by up to two pixels; AdamW, cosine decay,
batch 128; the weights after the last epoch are saved, whatever their score, which is printed.
"""

from __future__ import annotations

import pathlib
import sys
import time
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.cli.arguments import run_script
from jaxgan.data import to_float
from jaxgan.data.mnist import load_mnist
from jaxgan.data.permutation import shuffled_index
from jaxgan.metrics.features import mnist_cnn


@dataclass(frozen=True)
class Args:
    """Settings of the training."""

    epochs: int = 8
    batch_size: int = 128
    learning_rate: float = 2e-3
    seed: int = 0
    out: pathlib.Path = mnist_cnn.PATH


def main(args: Args) -> None:
    train, test = load_mnist("train"), load_mnist("test")
    images, labels = jnp.asarray(train.images), jnp.asarray(train.labels)
    model = mnist_cnn.MNISTClassifier()
    variables = model.init(jax.random.key(args.seed), jnp.zeros((1, 28, 28, 1)))
    steps_per_epoch = len(images) // args.batch_size
    steps = args.epochs * steps_per_epoch
    schedule = optax.warmup_cosine_decay_schedule(0.0, args.learning_rate, steps // 20, steps)
    tx = optax.adamw(schedule, weight_decay=1e-3)
    state = (variables["params"], variables["batch_stats"], tx.init(variables["params"]))

    @partial(jax.jit, donate_argnums=0)
    def step(state, number):
        params, stats, opt_state = state
        epoch, start = number // steps_per_epoch, number % steps_per_epoch * args.batch_size
        index = shuffled_index(start + jnp.arange(args.batch_size), len(images), seed=args.seed, epoch=epoch)
        x = jnp.pad(images[index], ((0, 0), (2, 2), (2, 2), (0, 0)))
        keys = jax.random.split(jax.random.fold_in(jax.random.key(args.seed), number), args.batch_size)
        offsets = jax.vmap(lambda key: jax.random.randint(key, (2,), 0, 5))(keys)
        cut = lambda image, at: jax.lax.dynamic_slice(image, (at[0], at[1], 0), (28, 28, 1))
        x = to_float(jax.vmap(cut)(x, offsets))

        def loss_fn(params):
            variables = {"params": params, "batch_stats": stats}
            (_, logits), new = model.apply(variables, x, train=True, mutable=["batch_stats"])
            targets = optax.smooth_labels(jax.nn.one_hot(labels[index], 10), 0.05)
            return optax.softmax_cross_entropy(logits, targets).mean(), new["batch_stats"]

        (loss, stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
        updates, opt_state = tx.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), stats, opt_state), loss

    accuracy, started = 0.0, time.time()
    for epoch in range(args.epochs):
        for number in range(epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch):
            state, loss = step(state, jnp.int32(number))
        variables = {"params": state[0], "batch_stats": state[1]}
        predictions = [
            np.asarray(mnist_cnn.apply(variables, jnp.asarray(test.images[i : i + 500]))[1].argmax(1))
            for i in range(0, len(test.images), 500)
        ]
        accuracy = float((np.concatenate(predictions) == test.labels).mean())
        print(
            f"epoch {epoch + 1}: loss {float(loss):.4f}, test accuracy {accuracy:.4%}, {time.time() - started:.0f} s"
        )
    metadata = {
        "test_accuracy": f"{accuracy:.4f}",
        "command": f"python experiments/train_mnist_cnn.py --epochs {args.epochs} --seed {args.seed}",
        "train_fingerprint": train.fingerprint,
        "jax": jax.__version__,
    }
    mnist_cnn.save(variables, metadata, args.out)
    print(f"wrote {args.out}: {args.out.stat().st_size / 2**20:.2f} MiB, test accuracy {accuracy:.4%}")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
