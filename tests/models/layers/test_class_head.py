"""Labels in the last layer of a discriminator, against formulas."""

import jax.numpy as jnp
import numpy as np
import pytest
from golden.layers import case
from models.compiled import normal

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.models.layers import ClassHead, joined, needed


def head(kind, logits=1, n_classes=3):
    """A head, its variables, features [4, 5] and labels [4]."""
    layer = ClassHead(n_classes=n_classes, kind=kind, logits=logits)
    features, label = normal(1, (4, 5)), jnp.asarray([0, 2, 1, 2])
    return layer, layer.init(quick(0), features, label, True), features, label


def test_projection_against_its_formula():
    given, expected = case("sagan_hinge_projection", "resnet")
    params = {
        "out": {"kernel": jnp.asarray(given["w"])[:, None], "bias": jnp.asarray([given["b"]])},
        "embed": {"embedding": jnp.asarray([given["embed_y"], [9.0, 9.0, 9.0]])},
    }
    features, label = jnp.asarray([given["features"]]), jnp.zeros(1, jnp.int32)
    logits = ClassHead(n_classes=2).apply({"params": params}, features, label, False)
    np.testing.assert_allclose(logits, [expected], atol=1e-6)


def test_an_auxiliary_classifier_is_linear_in_features_and_leaves_the_logit_alone():
    layer, variables, features, _ = head("ac")
    params = variables["params"]
    classes = layer.apply(variables, features, None, False, classify=True)
    np.testing.assert_allclose(
        classes, features @ params["classes"]["kernel"] + params["classes"]["bias"], atol=1e-5
    )
    logits = layer.apply(variables, features, None, False)
    np.testing.assert_allclose(
        logits, (features @ params["out"]["kernel"] + params["out"]["bias"])[:, 0], atol=1e-5
    )
    assert head("ac", logits=2)[0].apply(head("ac", logits=2)[1], features, None, False).shape == (4, 2)


def test_labels_are_joined_to_every_pixel():
    x, embedded = jnp.zeros((2, 3, 4, 1)), jnp.asarray([[1.0, 2.0], [3.0, 4.0]])
    seen = joined(x, embedded)
    assert seen.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(seen[1, 2, 3], [0, 3, 4])
    np.testing.assert_array_equal(joined(x[:, 0, 0], embedded), [[0, 1, 2], [0, 3, 4]])


def test_low_precision_features_are_judged_in_float32():
    layer, variables, features, label = head("projection")
    logits = layer.apply(variables, features.astype(jnp.bfloat16), label, False)
    assert logits.dtype == jnp.float32
    expected = layer.apply(variables, features.astype(jnp.bfloat16).astype(jnp.float32), label, False)
    np.testing.assert_array_equal(logits, expected)


def test_bad_input_is_named():
    with pytest.raises(
        InputError, match=r"label: expected class indices below 7 of shape \[batch\], got None"
    ):
        needed(None, 7)
    layer, variables, features, label = head("projection")
    with pytest.raises(InputError, match="label: expected class indices below 3"):
        layer.apply(variables, features, None, False)
    with pytest.raises(InputError, match="classify: expected a head of kind 'ac' with classes, got another"):
        layer.apply(variables, features, label, False, classify=True)
