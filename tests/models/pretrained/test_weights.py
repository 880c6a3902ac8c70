"""Pretrained weights: what is read is what PyTorch wrote, and a file can do nothing but hold tensors."""

import http.server
import io
import os
import pickle
import struct
import threading
import zipfile

import helpers
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxgan import InputError
from jaxgan.models.pretrained.torch_files import Unpickler, read_torch
from jaxgan.models.pretrained.weights import Weights, fetch, load, sha256_of

GOLDEN = helpers.GOLDEN
TORCH_FILES = ("torch_zip.pth", "torch_legacy.pth", "torch.safetensors")
MAGIC = 0x1950A86A20F9469CFC6C


def written() -> dict[str, np.ndarray]:
    """What tests/golden/make_inception.py gave PyTorch to write."""
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    arrays = {
        "base": base,
        "transposed": base.T,
        "part": base[1:, 1::2],
        "expanded": np.zeros((2, 3), np.float32),
    }
    for name in ("float64", "float16", "int64", "int32", "int16", "int8", "uint8"):
        arrays[name] = np.asarray([1, 2, 100], name)
    arrays["bfloat16"] = np.asarray([1, 2, 100], jnp.bfloat16)
    arrays["bool"] = np.asarray([True, False])
    arrays["parameter"] = np.asarray([0.5, -0.5], np.float32)
    arrays["scalar"] = np.asarray(7)
    arrays["empty"] = np.zeros((0, 3), np.float32)
    return arrays


def one_line(error) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# --- what PyTorch wrote ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TORCH_FILES)
def test_every_type_and_layout_is_read(name):
    got, expected = read_torch(GOLDEN / name), written()
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert got[key].dtype == value.dtype, key
        np.testing.assert_array_equal(got[key], value, err_msg=key)


def test_the_content_decides_not_the_suffix(tmp_path):
    for name in TORCH_FILES:
        renamed = tmp_path / "weights.bin"
        renamed.write_bytes((GOLDEN / name).read_bytes())
        assert read_torch(renamed).keys() == written().keys()


@pytest.mark.parametrize("name", TORCH_FILES)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_file_is_one_clear_error(tmp_path, name, share):
    content = (GOLDEN / name).read_bytes()
    path = tmp_path / "weights.pth"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="weights.pth") as error:
        read_torch(path)
    one_line(error)


def test_a_flipped_bit_in_a_zip_file_is_found(tmp_path):
    content = bytearray((GOLDEN / "torch_zip.pth").read_bytes())
    content[content.index(np.arange(12, dtype=np.float32).tobytes()) + 20] ^= 1
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is the file whole"):
        read_torch(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>", "another kind of file"),
        (pickle.dumps({"a": 1}), "another pickle|is the file whole"),
        (pickle.dumps(3) * 3, "another pickle"),
        (b"PK\x05\x06" + 18 * b"\0", "another one"),
    ],
    ids=["html", "one pickle", "three pickles", "empty zip"],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_torch(path)
    assert one_line(error).startswith(str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.pth.*No such file"):
        read_torch(tmp_path / "none.pth")


# --- files that want more --------------------------------------------------------------------------


class Command:
    """Runs a command of the shell when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def torch_file(path, content, legacy=False):
    """Puts a pickle where PyTorch puts that of the state dict."""
    if legacy:
        start = b"".join(pickle.dumps(part, 2) for part in (MAGIC, 1001, {"little_endian": True}))
        path.write_bytes(start + content + pickle.dumps(["0"], 2) + struct.pack("<q6f", 6, *range(6)))
        return path
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", content)
        archive.writestr("weights/data/0", struct.pack("<6f", *range(6)))
    return path


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("protocol", [2, 5])
def test_a_file_runs_nothing(tmp_path, legacy, protocol):
    trace = tmp_path / "trace"
    pickle.loads(pickle.dumps(Command(f"touch {trace}"), protocol))  # it would
    assert trace.exists()
    trace.unlink()
    for content in (Command(f"touch {trace}"), {"a": Command(f"touch {trace}")}):
        path = torch_file(tmp_path / "weights.pth", pickle.dumps(content, protocol), legacy)
        with pytest.raises(
            InputError, match=r"expected nothing but tensors, got \w+\.system, which is not run"
        ) as e:
            read_torch(path)
        one_line(e)
        assert not trace.exists()


def test_the_first_pickles_of_the_legacy_format_run_nothing_either(tmp_path):
    trace = tmp_path / "trace"
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(Command(f"touch {trace}"), 2))
    with pytest.raises(InputError, match="system"):
        read_torch(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "builtins getattr",
        "torch _utils.os.system",
        "torch._utils os.system",
        "torch.hub load",
        "io open",
    ],
)
def test_only_the_names_of_tensors_are_known(tmp_path, name):
    module, attribute = name.split()
    text = lambda s: b"\x8c" + bytes([len(s)]) + s.encode()
    content = (
        b"\x80\x04" + text(module) + text(attribute) + b"\x93."
    )  # STACK_GLOBAL, which takes dotted names
    with pytest.raises(InputError, match=f"got {module}.{attribute}"):
        read_torch(torch_file(tmp_path / "weights.pth", content))


@pytest.mark.parametrize(
    "name",
    [
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch FloatStorage",
        "collections OrderedDict",
    ],
)
def test_a_file_leaves_nothing_behind(tmp_path, name):
    """BUILD writes attributes into what is on the stack: here into what the unpickler gave for a name."""
    module, attribute = name.split()
    evil = b"N}X\x08\x00\x00\x00__name__X\x04\x00\x00\x00evils\x86b."
    with pytest.raises(InputError):
        read_torch(
            torch_file(tmp_path / "weights.pth", f"\x80\x02c{module}\n{attribute}\n".encode("latin1") + evil)
        )
    given = Unpickler(io.BytesIO(pickle.dumps(None))).find_class(module, attribute)
    assert getattr(given, "__name__", "") != "evil"


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02}r\xff\xff\xff\x7f.", "entry 2147483647 of its memo"),  # 16 GiB
        (b"\x80\x05\x96" + struct.pack("<q", 2**34) + b".", "is the file whole"),  # a bytearray of as much
        (b"\x80\x02" + pickle.dumps(bytearray(3), 5)[2:], "with BYTEARRAY8"),
        (pickle.dumps({"a": Command}, 2).replace(b"ctest_weights\nCommand\n", b"\x82\x01"), "with EXT1"),
    ],
    ids=["memo", "bytearray", "opcode", "extension"],
)
def test_a_small_file_takes_little_memory(tmp_path, legacy, content, message):
    with pytest.raises(InputError, match=message):
        read_torch(torch_file(tmp_path / "weights.pth", content, legacy))


def test_compressed_entries_are_refused(tmp_path):
    """Zeros of any length would fit in a small file."""
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/data.pkl", tensor_pickle())
        archive.writestr("weights/data/0", bytes(24))
    with pytest.raises(InputError, match="without compression"):
        read_torch(path)


def tensor_pickle(
    size=6, offset=0, shape=(2, 3), strides=(3, 1), key="0", kind="storage", storage="FloatStorage", view=b""
):
    """{"w": tensor} as PyTorch pickles it, with any numbers."""
    text = lambda s: b"X" + struct.pack("<i", len(s)) + s.encode()
    number = lambda n: b"J" + struct.pack("<i", n)
    numbers = lambda ns: b"(" + b"".join(map(number, ns)) + b"t"
    persistent = (
        b"("
        + text(kind)
        + f"ctorch\n{storage}\n".encode()
        + text(key)
        + text("cpu")
        + number(size)
        + view
        + b"tQ"
    )
    arguments = b"(" + persistent + number(offset) + numbers(shape) + numbers(strides) + b"\x89}t"
    return b"\x80\x02}" + text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rs."


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_tensor_stays_inside_its_storage(tmp_path, legacy):
    def read(**changes):
        return read_torch(torch_file(tmp_path / "weights.pth", tensor_pickle(**changes), legacy))["w"]

    np.testing.assert_array_equal(read(), np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(read(offset=1, shape=(2,), strides=(4,)), [1, 5])
    np.testing.assert_array_equal(read(view=b"N"), read())
    assert not read().flags.writeable
    for changes in (
        {"offset": 1},
        {"offset": -1},
        {"shape": (3, 3)},
        {"shape": (-2, 3)},
        {"strides": (4, 1)},
        {"strides": (-3, 1)},
        {"strides": (1,)},
        {"size": 7},
        {"size": -6},
        {"key": "1"},
        {"kind": "module"},
        {"view": b"K\x01"},
        {"storage": "DoubleStorage"},
        {"storage": "QInt8Storage"},
        {"storage": "_C"},
    ):
        with pytest.raises(InputError) as error:
            read(**changes)
        one_line(error)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([], "got a list"),
        ({"epoch": 3}, "got a int at 'epoch'"),
        ({"state_dict": {}}, "got a dict at 'state_dict'"),
    ],
)
def test_anything_but_tensors_by_name_is_refused(tmp_path, tree, message):
    with pytest.raises(InputError, match=message):
        read_torch(torch_file(tmp_path / "weights.pth", pickle.dumps(tree, 2)))


def test_the_order_of_bytes_is_checked(tmp_path):
    path = torch_file(tmp_path / "weights.pth", tensor_pickle())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("weights/byteorder", "big")
    with pytest.raises(InputError, match="little-endian"):
        read_torch(path)


# --- downloads -----------------------------------------------------------------------------------------


def source(tmp_path, content=b"weights", **fields):
    """Weights that are downloaded from a file of this machine."""
    file = tmp_path / "published.pth"
    file.write_bytes(content)
    return Weights("small", file.as_uri(), **fields), file


def test_sha256(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_download_is_made_once(cache, tmp_path, capsys):
    weights, file = source(tmp_path)
    first = fetch(weights)
    assert first == cache / "weights" / "published.pth"
    assert first.read_bytes() == b"weights"
    assert weights.url in capsys.readouterr().err
    file.unlink()
    assert fetch(weights) == first
    assert not capsys.readouterr().err


def test_a_file_given_is_taken_as_it_is(cache, tmp_path):
    weights, file = source(tmp_path, sha256="0" * 64, option="--inception-weights")
    assert fetch(weights, file) == file
    assert not cache.exists()
    with pytest.raises(
        InputError, match=r"--inception-weights: expected a file of weights, there is none at '.*x'"
    ):
        fetch(weights, tmp_path / "x")


@pytest.mark.parametrize("digits", [8, 64])
def test_another_content_is_not_kept(cache, tmp_path, digits):
    weights, file = source(tmp_path)
    right = sha256_of(file)[:digits]
    assert fetch(Weights("small", weights.url, right)).is_file()
    fetch(weights).unlink()
    file.write_bytes(b"other")
    with pytest.raises(InputError, match=f"expected SHA-256 {right}, got [0-9a-f]{{64}}: file:") as error:
        fetch(Weights("small", weights.url, right))
    one_line(error)
    assert not list((cache / "weights").iterdir())


def test_offline_the_error_says_what_to_do(cache):
    weights = Weights("small", "http://127.0.0.1:9/published.pth", option="--small-weights")
    with pytest.raises(InputError, match="cannot download") as error:
        fetch(weights)
    message = one_line(error)
    for part in (weights.url, str(cache / "weights" / "published.pth"), "--small-weights"):
        assert part in message
    assert not list((cache / "weights").iterdir())


class Short(http.server.BaseHTTPRequestHandler):
    """Says ten bytes and sends four."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"four")

    def log_message(self, *_):
        pass


def test_half_a_download_is_not_kept(cache):
    with http.server.HTTPServer(("127.0.0.1", 0), Short) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(InputError, match="4 of 10 bytes came"):
            fetch(Weights("small", f"http://127.0.0.1:{server.server_port}/published.pth"))
        thread.join()
    assert not list((cache / "weights").iterdir())


# --- conversions -----------------------------------------------------------------------------------------


def published(tmp_path, value):
    file = tmp_path / "published.safetensors"
    save_file({"w": np.full(3, value, np.float32)}, file)
    return file


def test_a_conversion_is_kept_by_the_hash_of_its_source(cache, tmp_path):
    calls = []

    def convert(tensors):
        calls.append(1)
        return {"params/w": 2 * tensors["w"]}

    weights = Weights("small", published(tmp_path, 1).as_uri())
    for _ in range(2):
        arrays, sha256 = load(weights, convert)
        np.testing.assert_array_equal(arrays["params/w"], [2, 2, 2])
        assert sha256 == sha256_of(weights.path)
    assert len(calls) == 1
    other, sha256 = load(weights, convert, published(tmp_path, 5))
    np.testing.assert_array_equal(other["params/w"], [10, 10, 10])
    assert len(calls) == 2
    for kept in (cache / "weights").glob(f"small-{sha256[:12]}*"):
        kept.write_bytes(kept.read_bytes()[:-1])  # half a file is made again
    np.testing.assert_array_equal(load(weights, convert, published(tmp_path, 5))[0]["params/w"], [10, 10, 10])
    assert len(calls) == 3


def test_a_changed_download_is_found_when_it_is_loaded(cache, tmp_path):
    file = published(tmp_path, 1)
    weights = Weights("small", file.as_uri(), sha256_of(file))
    load(weights, dict)
    weights.path.write_bytes(b"other")
    with pytest.raises(InputError, match=r"expected SHA-256 .*\(delete it, and it is downloaded again\)"):
        load(weights, dict)


def test_a_conversion_that_fails_names_the_file(cache, tmp_path):
    def convert(tensors):
        raise InputError("w: expected another shape")

    file = published(tmp_path, 1)
    with pytest.raises(InputError, match=r"published\.safetensors: w: expected another shape"):
        load(Weights("small", "http://127.0.0.1:9/none"), convert, file)


def test_a_cache_that_cannot_be_written_is_no_hindrance(cache, tmp_path):
    cache.parent.mkdir(exist_ok=True)
    cache.write_bytes(b"a file where the folder should be")
    file = published(tmp_path, 1)
    assert load(Weights("small", "http://127.0.0.1:9/none"), dict, file)[0].keys() == {"w"}
