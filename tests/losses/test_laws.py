"""The laws themselves: each catches the loss that breaks it, and says so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.common.keys import quick
from jaxgan.losses import LOSSES, Claim, Loss, find_loss, laws

softplus = jax.nn.softplus
d = lambda real, fake: softplus(-real) + softplus(fake)
g = lambda real, fake: softplus(-fake)

# What is wrong -> (loss, the law that must catch it, what the message must say).
WRONG = {
    "generator's sign": (Loss(d, lambda r, f: softplus(f)), "gap", "generator: its loss must rise .* sign"),
    "discriminator's sign": (
        Loss(lambda r, f: d(f, r), g),
        "gap",
        "discriminator: its loss must fall .* sign",
    ),
    "gradient cut": (
        Loss(lambda r, f: softplus(-r) + softplus(jax.lax.stop_gradient(f)), g),
        "gradient",
        "discriminator: the gradient in fake_logits is 0, .* cut",
    ),
    "gradient wrong": (
        Loss(d, lambda r, f: softplus(-f) + 0.5 * jax.lax.stop_gradient(softplus(-f))),
        "gradient",
        "generator: the gradient in fake_logits differs from finite differences",
    ),
    "infinite at large logits": (
        Loss(d, lambda r, f: -jnp.log(jax.nn.sigmoid(f))),
        "extreme",
        "generator: the value is inf at real logit",
    ),
    "NaN gradient at ties": (
        Loss(lambda r, f: d(r, f) + 1e-3 * jnp.sqrt(jnp.square(r - f)), g),
        "extreme",
        "discriminator: the gradient is nan",
    ),
    "flat at large logits": (  # what a small constant in the logarithm does
        Loss(d, lambda r, f: -jnp.log(jax.nn.sigmoid(f) + jnp.finfo(f.dtype).eps)),
        "extreme",
        "generator: the float32 value .* is off",
    ),
    "mean taken": (
        Loss(lambda r, f: d(r, f).mean(), g),
        "shape",
        r"discriminator: expected one value .* got \[\]",
    ),
    "NumPy inside": (
        Loss(d, lambda r, f: jnp.asarray(np.logaddexp(0, -np.asarray(f)))),
        "shape",
        "generator: raises TracerArrayConversionError",
    ),
    "order matters": (
        Loss(lambda r, f: d(r, f) * jnp.arange(r.shape[0]).reshape(-1, *(1,) * (r.ndim - 1)), g),
        "permutation",
        "discriminator: the values of examples depend on their order",
    ),
    "sum over the batch": (
        Loss(lambda r, f: d(r, f) * r.shape[0], g),
        "batch_size",
        "discriminator: its mean depends on the batch size",
    ),
    "fakes forgotten": (
        Loss(d, lambda r, f: softplus(r)),
        "gradient",
        "generator: its loss does not depend on fake_logits: are the arguments mixed up",
    ),
    "reals forgotten": (
        Loss(lambda r, f: softplus(f), g),
        "gradient",
        "discriminator: its loss does not depend on real_logits",
    ),
    "features that do not say so": (
        LOSSES["energy"]()._replace(claim=None, of_features=False),
        "gap",
        "if they are features, say so: of_features=True",
    ),
    "comparing without a word": (
        Loss(lambda r, f: softplus(f - r), lambda r, f: softplus(r - f)),
        "comparison",
        "discriminator: the loss of an example depends on .*; say so: compares=True",
    ),
    "batch means without a word": (
        Loss(d, lambda r, f: softplus(f.mean(0) - f)),
        "comparison",
        "generator: the loss of an example depends on",
    ),
    "a comparison that is none": (
        Loss(d, g, compares=True),
        "comparison",
        "compares: .* leave compares=True out",
    ),
    "a comparison the wrong way round": (
        LOSSES["relativistic_paired"]()._replace(comparison=lambda r, f: 1.0 * (r < f)),
        "comparison",
        "comparison: expected 1 where all reals are above all fakes .* got 0 and 1",
    ),
    "a comparison beside logits that stand alone": (
        Loss(d, g, comparison=lambda r, f: 1.0 * (r > f)),
        "comparison",
        "declare a threshold instead",
    ),
    "another threshold": (
        LOSSES["least_squares"]()._replace(threshold=0.0),
        "threshold",
        "prefers the logit 0.5 to the declared 0",
    ),
    "a threshold of critics": (
        LOSSES["wasserstein"]()._replace(threshold=0.0),
        "threshold",
        "no single logit means anything; expected None, got 0",
    ),
    "no shift invariance": (
        Loss(d, g, claim=Claim("none", shift_invariant=True)),
        "shift",
        "claims that a common shift .* but its loss changes",
    ),
    "another divergence": (Loss(d, g, claim=Claim("kl")), "duality", "kl in closed form is"),
    "a wrong factor": (
        Loss(d, g, claim=Claim("jensen_shannon", float(np.log(2)), 1.0)),
        "duality",
        "jensen_shannon in closed form is",
    ),
    "a negative scale": (
        Loss(lambda r, f: -d(r, f), g, claim=Claim("jensen_shannon", scale=-0.5)),
        "duality",
        "expected a positive scale",
    ),
    "a divergence with the wrong sign": (
        Loss(lambda r, f: -0.1 * d(r, f) + 0.1 * r**2 + 0.1 * f**2, g, claim=Claim("jensen_shannon")),
        "duality",
        "discriminator",
    ),
    "an unknown divergence": (
        Loss(d, g, claim=Claim("jensen_shanon")),
        "duality",
        "did you mean 'jensen_shannon'",
    ),
    "another critic": (
        Loss(d, g, claim=Claim("jensen_shannon", critic="q/p", optimum=lambda p, q: q / p)),
        "optimum",
        r"the best critic is \[.*\], but q/p is",
    ),
    "other features": (
        LOSSES["energy"]()._replace(claim=LOSSES["mmd_rbf"]().claim),
        "duality",
        "generator: squared MMD, RBF kernels of two sets of features is .* by direct sums, the loss gives",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_loss_is_caught_by_name(what):
    loss, law, message = WRONG[what]
    with pytest.raises(laws.Broken, match=message):
        laws.LAWS[law](loss)


def test_one_factor_changed_in_a_loss_of_the_catalogue_breaks_its_duality():
    """Three real losses with one constant changed: the closed form no longer agrees."""
    hinge, kl = LOSSES["hinge"](), LOSSES["f_kl"]()
    wrong = [
        hinge._replace(discriminator=lambda r, f: jax.nn.relu(1 - r) + jax.nn.relu(1.1 + f)),
        kl._replace(discriminator=lambda r, f: -r + jnp.exp(jnp.minimum(f, 20.0) - 0.9)),
        LOSSES["least_squares"]()._replace(discriminator=lambda r, f: 0.5 * (r - 1) ** 2 + 0.55 * f**2),
    ]
    for loss in wrong:
        with pytest.raises(laws.Broken, match="in closed form is"):
            laws.duality_law(loss)


def test_a_right_loss_with_nothing_but_a_name_passes():
    """Offset and scale of the claim are found where they are not stated."""
    verdicts = {
        v.law: v for v in laws.check(Loss(lambda r, f: 3 * d(r, f) + 1, g, claim=Claim("jensen_shannon")))
    }
    assert not [v for v in verdicts.values() if v.outcome == "broken"]
    assert verdicts["duality"].outcome == "holds"
    assert verdicts["optimum"].outcome == "skipped"
    only_scale = Loss(d, g, claim=Claim("jensen_shannon", scale=0.5))
    only_offset = Loss(d, g, claim=Claim("jensen_shannon", offset=float(np.log(2))))
    assert "0.6931 - 0.5" in laws.duality_law(only_scale)
    assert "0.6931 - 0.5" in laws.duality_law(only_offset)


def test_right_losses_with_small_margins_and_near_targets_pass():
    for loss in (
        LOSSES["geometric"](margin=0.04),
        LOSSES["relativistic_paired_hinge"](margin=0.05),
        LOSSES["least_squares"](real_target=0.2, generator_target=0.2),
        Loss(*LOSSES["energy"]()[:2], compares=True, of_features=True, claim=Claim("none")),
    ):
        laws.gap_law(loss)


def test_what_a_users_function_raises_is_a_verdict():
    def picky(real, fake):
        if real.dtype == jnp.float64:
            raise ValueError("only float32 here")
        return d(real, fake)

    verdicts = {v.law: v for v in laws.check(Loss(picky, g, claim=Claim("mine")))}
    assert "raises ValueError: only float32 here" in verdicts["gradient"].detail
    assert "unknown divergence 'mine'" in verdicts["duality"].detail or "raises" in verdicts["duality"].detail
    casting = Loss(lambda r, f: d(r.astype(jnp.float32), f.astype(jnp.float32)), g)
    with pytest.raises(laws.Skipped, match="computes in float32"):
        laws.gradient_law(casting)
    bad = Loss(d, g, claim=Claim("jensen_shannon", constraint="lipshitz"))
    with pytest.raises(laws.Broken, match="expected the constraint"):
        laws.duality_law(bad)
    with pytest.raises(laws.Broken, match="needs value="):
        laws.duality_law(LOSSES["energy"]()._replace(claim=Claim("mine")))


def test_a_wrong_shape_stops_the_rest():
    verdicts = laws.check(WRONG["mean taken"][0])
    assert [v.outcome for v in verdicts] == ["broken"] + ["skipped"] * (len(laws.LAWS) - 1)


FILE = """
import jax
from jaxgan.losses import Claim, Loss
softplus = jax.nn.softplus
pair = (lambda r, f: softplus(-r) + softplus(f), lambda r, f: softplus(-f))
flipped = (lambda r, f: softplus(-r) + softplus(f), lambda r, f: softplus(f))
loss = Loss(*pair, claim=Claim("jensen_shannon"))
number = 3
def scaled(*, factor=2.0):
    return Loss(lambda r, f: factor * pair[0](r, f), pair[1])
def broken():
    return 5
def needs(x):
    return loss
def raising():
    raise KeyError("nothing")
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_losses_of_a_file(file):
    r, f = jax.random.normal(quick(0), (2, 4))
    expected = LOSSES["non_saturating"]().discriminator(r, f)
    for name, factor in (("loss", 1), ("pair", 1), ("scaled", 2)):
        np.testing.assert_allclose(
            find_loss(f"{file}:{name}")().discriminator(r, f), factor * expected, rtol=1e-6
        )
    np.testing.assert_allclose(
        find_loss(f"{file}:scaled")(factor=5).discriminator(r, f), 5 * expected, rtol=1e-6
    )
    (file.parent / "bad.py").write_text("import nothing_like_this")
    for name, message in [
        (f"{file}:los", "unknown loss in .*mine.py' 'los'; did you mean 'loss'"),
        (f"{file}:number", "expected .*number' to be a jaxgan.Loss .*, got 3"),
        (f"{file}:broken", "expected .*broken' to return a jaxgan.Loss, got int"),
        (f"{file}:needs", "cannot be called with no options: .*'x'"),
        (f"{file}:raising", "raised KeyError: 'nothing'"),
        (f"{file.parent}/none.py:loss", "got no file"),
        (f"{file.parent}/bad.py:loss", "running .* raised ModuleNotFoundError: No module named"),
    ]:
        with pytest.raises(InputError, match=message):
            find_loss(name)()


def test_the_command_lists_checks_and_plots(file, tmp_path, capsys):
    assert main(["losses"]) == 0
    listing = capsys.readouterr().out
    for name in LOSSES:
        assert f"\n{name}\n" in f"\n{listing}"
    assert listing.count("    formula ") == listing.count("    measures ") == len(LOSSES)
    assert listing.count("    paper ") >= len(LOSSES)
    assert main(["losses", "check", f"{file}:loss"]) == 0
    out = capsys.readouterr().out
    assert "obeys every law that applies" in out
    assert "jensen_shannon = 0.6931 - 0.5 x the least loss" in out
    assert main(["losses", "check", f"{file}:flipped"]) == 1
    out = capsys.readouterr().out
    assert "BROKEN  gap" in out
    assert "breaks 1 of 11 laws: gap" in out
    assert main(["losses", "plot", "hinge", f"{file}:scaled", "--out", str(tmp_path / "p.png")]) == 0
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    for args, message in [
        (["losses", "chek"], "unknown losses command 'chek'; did you mean 'check'?"),
        (["losses", "check", "hing"], "unknown loss 'hing'; did you mean 'hinge'?"),
        (["losses", "plot", "hinge", "--out", "p.svg"], "out: expected a .png file, got 'p.svg'"),
        (["losses", "plot", "hinge", "--limit", "0"], "limit: expected a positive number, got 0.0"),
    ]:
        assert main(args) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_curves_are_those_of_the_loss():
    from jaxgan.cli.losses import curves

    logit, value, slope = curves(LOSSES["least_squares"](), 2.0)["D, real"]
    np.testing.assert_allclose(value, 0.5 * (logit - 1) ** 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope, logit - 1, rtol=1e-5, atol=1e-6)
