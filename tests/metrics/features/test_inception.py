"""FID's Inception against torch-fidelity's, on the same random weights; its images and its weights."""

import dataclasses
import urllib.request

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import make_inception as golden
from safetensors.numpy import save_file

from jaxgan import InputError
from jaxgan.metrics.features import inception, resizing
from jaxgan.models.pretrained.weights import sha256_of

compare = golden.compare


@pytest.fixture(scope="module")
def expected():
    return dict(np.load(golden.HERE / "inception.npz"))


@pytest.fixture(scope="module")
def tensors():
    return inception.random_weights(golden.SEED)


@pytest.fixture(scope="module")
def images():
    return compare.random_images(golden.SEED, 2, golden.SHAPE)


@pytest.fixture(scope="module")
def layers():
    """One compilation for all tests: every layer of two images."""
    return jax.jit(compare.tapped)


@pytest.fixture(scope="module")
def network(tensors, layers, tmp_path_factory):
    """The feature network of a file, which is no longer there when the tests run."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("inception")
    patch.setenv("JAXGAN_CACHE", str(folder / "cache"))
    patch.setattr(urllib.request, "urlopen", None)  # no test downloads

    def forward(variables, images):
        outputs = layers(variables, images)
        return inception.Outputs(*(outputs[name] for name in inception.Outputs._fields))

    patch.setattr(inception, "forward", forward)
    file = folder / "weights.safetensors"
    save_file(tensors, file)
    network = inception.features(file)
    assert network.identity == sha256_of(file)[:12]
    for path in folder.rglob("*.safetensors"):
        path.unlink()  # 90 MB each
    yield dataclasses.replace(network, batch=2)
    patch.undo()


def close(got, expected, tolerance=1e-4):
    """Differences up to `tolerance` of the largest value."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(np.asarray(got), expected, rtol=0, atol=tolerance * np.abs(expected).max())


# --- the network -----------------------------------------------------------------------------------


def test_every_layer_is_that_of_pytorch(network, layers, tensors, images, expected):
    arrays = inception.convert(tensors)
    variables = flax.traverse_util.unflatten_dict(arrays, sep="/")
    got = layers(variables, inception.preprocess(images))
    assert {f"layer/{name}" for name in compare.LAYERS} == {
        name for name in expected if name.startswith("layer/")
    }
    for name in compare.LAYERS:
        close(golden.sampled(got[name]), expected[f"layer/{name}"])


def test_outputs_are_those_of_pytorch(network, images, expected):
    outputs = network.all_outputs(images)
    assert network.outputs == ("features", "logits", "spatial")
    for name in ("features", "logits", "spatial"):
        assert getattr(outputs, name).shape == expected[name].shape
        close(getattr(outputs, name), expected[name])
    features, logits = network(images)
    np.testing.assert_array_equal(features, outputs.features)
    np.testing.assert_array_equal(logits, outputs.logits)


def test_outputs_of_an_image_are_its_own(network, images):
    """Three images in batches of two: the third comes with a filling."""
    three = np.concatenate([images, images[:1]])
    features, logits = network(three)
    assert features.shape == (3, 2048)
    assert logits.shape == (3, 1008)
    close(features[2], features[0], 1e-6)
    close(logits[2], logits[0], 1e-6)
    assert np.abs(features[1] - features[0]).max() > 1e-3 * np.abs(features[0]).max()


def test_the_identity_is_the_hash_of_the_file(network):
    assert network.name == "inception"
    assert network.label == f"inception_{network.identity[:8]}"  # no distance of it is called fid
    assert inception.from_arrays({}, inception.WEIGHTS.sha256).label == "inception"
    assert inception.WEIGHTS.sha256[:8] in inception.WEIGHTS.url  # PyTorch's convention for names of files


def test_all_is_computed_at_the_highest_precision():
    """On an accelerator the default has three digits, which a distance of statistics does not forgive."""
    arrays = {path: jax.ShapeDtypeStruct(shape, jnp.float32) for path, shape in inception.shapes().items()}
    variables = flax.traverse_util.unflatten_dict(arrays, sep="/")
    images = jax.ShapeDtypeStruct((1, 299, 299, 3), jnp.float32)
    jaxpr = jax.make_jaxpr(inception.InceptionV3().apply)(variables, images)
    products = [e for e in jaxpr.eqns if e.primitive.name in ("conv_general_dilated", "dot_general")]
    assert len(products) == 95
    for equation in products:
        assert equation.params["precision"] == 2 * (jax.lax.Precision.HIGHEST,)


# --- images ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", golden.RESIZED, ids=str)
def test_the_resize_is_that_of_tensorflow_1(shape, expected):
    got = resizing.resize_tf1(compare.random_images(golden.SEED, 2, shape), inception.SIZE)
    assert got.shape == (2, 299, 299, shape[2])
    np.testing.assert_allclose(
        golden.sampled(got), expected["resize/" + "x".join(map(str, shape))], rtol=0, atol=1e-3
    )


def test_the_resize_by_hand():
    row = jnp.asarray([0.0, 10.0, 30.0])
    image = jnp.broadcast_to(row[None, None, :, None], (1, 3, 3, 1))
    got = resizing.resize_tf1(image, 6)
    np.testing.assert_allclose(got[0, 0, :, 0], [0, 5, 10, 20, 30, 30])  # i / 2, and the last pixel repeats
    np.testing.assert_array_equal(resizing.resize_tf1(image.swapaxes(1, 2), 6), got.swapaxes(1, 2))
    np.testing.assert_array_equal(resizing.resize_tf1(image, 3), image)
    big = jnp.arange(12.0).reshape(1, 1, 12, 1)
    np.testing.assert_array_equal(resizing.resize_tf1(big, 4)[0, 0, :, 0], [0, 3, 6, 9])  # aliases


def test_preprocessing_scales_and_repeats_grey():
    grey = np.asarray([0, 128, 255, 64], np.uint8).reshape(1, 2, 2, 1)
    got = inception.preprocess(grey)
    assert got.shape == (1, 299, 299, 3)
    assert got[0, 0, 0, 0] == -1
    assert got[0, 0, -1, 0] == 0
    assert got[0, -1, 0, 0] == 127 / 128
    np.testing.assert_allclose(
        got, inception.preprocess(np.repeat(grey, 3, axis=3)), atol=1e-6
    )  # programs round


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 8, 8, 4), np.uint8), np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 3), np.float32)],
    ids=["channels", "axes", "type"],
)
def test_other_images_are_refused(network, images):
    with pytest.raises(InputError, match=r"images: Inception expects uint8 \[n, h, w, 1 or 3\], got"):
        network(images)


def test_no_images_are_refused(network):
    with pytest.raises(InputError, match="at least one"):
        network(np.zeros((0, 8, 8, 3), np.uint8))


# --- weights -----------------------------------------------------------------------------------------


def test_the_network_has_the_size_that_is_published(tensors):
    """pytorch-fid's file has 566 tensors: 94 convolutions with the five of their normalisation, and the last layer."""
    assert len(inception.torch_shapes()) == 94 * 5 + 1
    sizes = [np.prod(shape) for shape in inception.torch_shapes().values()]
    # torchvision's Inception-v3 without its auxiliary head and its last layer has 21,785,568 parameters.
    statistics = sum(t.size for name, t in tensors.items() if ".running_" in name)
    assert sum(sizes) - statistics == 21_785_568 + 2048 * 1008


def test_conversion_is_by_name_and_leaves_what_is_not_used(tensors):
    extra = {"Mixed_5b.branch1x1.bn.num_batches_tracked": np.asarray(0)}
    shuffled = dict(reversed(list(tensors.items()))) | extra
    arrays = inception.convert(shuffled)
    kernel = arrays["params/Mixed_6b/branch7x7_2/conv/kernel"]
    assert kernel.shape == (1, 7, 128, 128)
    assert kernel[0, 2, 3, 4] == tensors["Mixed_6b.branch7x7_2.conv.weight"][4, 3, 0, 2]
    np.testing.assert_array_equal(arrays["params/fc/kernel"], tensors["fc.weight"].T)
    np.testing.assert_array_equal(
        arrays["batch_stats/Mixed_7c/branch_pool/bn/var"], tensors["Mixed_7c.branch_pool.bn.running_var"]
    )
    assert {a.dtype for a in arrays.values()} == {np.dtype(np.float32)}
    assert all(a.flags.c_contiguous for a in arrays.values())


def test_weights_that_do_not_fit_are_named(tensors):
    name = "Mixed_5b.branch1x1.conv.weight"
    with pytest.raises(InputError, match=rf"expected 471 tensors, 1 missing: {name}"):
        inception.convert({n: t for n, t in tensors.items() if n != name})
    with pytest.raises(InputError, match=r"1 unknown: Mixed_5b.branch2x2.conv.weight did you mean 'Mixed_5b"):
        inception.convert(tensors | {"Mixed_5b.branch2x2.conv.weight": tensors[name]})
    with pytest.raises(InputError, match=rf"{name}: expected shape \(64, 192, 1, 1\), got \(64, 192\)"):
        inception.convert(tensors | {name: tensors[name][..., 0, 0]})
    with pytest.raises(InputError, match=r"expected shape \(1008, 2048\), got \(1000, 2048\)"):
        inception.convert(tensors | {"fc.weight": tensors["fc.weight"][:1000]})


def test_random_weights_are_the_same_everywhere(tensors):
    """The stored values of PyTorch's network depend on them."""
    weight = tensors["Conv2d_1a_3x3.conv.weight"]
    np.testing.assert_allclose(weight.var(), 2 / 27, rtol=0.1)
    assert np.array_equal(weight, inception.random_weights(golden.SEED)["Conv2d_1a_3x3.conv.weight"])
    assert not np.array_equal(weight, inception.random_weights(golden.SEED + 1)["Conv2d_1a_3x3.conv.weight"])
