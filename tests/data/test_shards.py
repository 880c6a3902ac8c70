"""Tar shards: which files form a sample, what says its class, and what is wrong with them."""

import gzip
import io
import tarfile

import numpy as np
import pytest
from small_images import noise, png, write_tar

from jaxgan import InputError
from jaxgan.data import open_source


def test_samples_of_shards(tmp_path, cache):
    """Of every way to say a class; further files and images of a sample do not count."""
    tmp_path = tmp_path / "shards"
    tmp_path.mkdir()
    more = {"b/2.cls": b"7\n", "b/2.jpg": png(noise(2)), "b/2.mask.png": png(noise(3)), "b/2.txt": b"a dog"}
    write_tar(tmp_path / "x-1.tar", {"./a/1.png": png(noise(1)), "./a/1.json": b'{"label": 10}', **more})
    write_tar(tmp_path / "x-2.tar", {"3.png": png(noise(4)), "3.json": b'{"class": [0, 1]}'})
    for name in (
        f"tar:{tmp_path}",
        f"tar:{tmp_path}/x-*.tar",
        f"tar:{tmp_path}/x-{{1,2}}.tar",
        str(tmp_path),
    ):
        source = open_source(name)
        assert source.class_names == ("1", "7", "10")
        assert source.labels.tolist() == [2, 1, 0]
        np.testing.assert_array_equal(source.images, [noise(1), noise(2), noise(4)])
        assert source.notes[-1] == "left out, beside another image of their samples: 1 image"
    one = open_source(str(tmp_path / "x-2.tar"))
    assert (one.n, one.name) == (1, f"tar:{tmp_path / 'x-2.tar'}")


def test_links_and_names_that_come_again_are_not_lost(tmp_path, cache):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, linked, content in (
            ("1.png", "", png(noise(1))),
            ("2.png", "./1.png", b""),
            ("1.png", "", png(noise(3))),
            ("4.png", "5.png", b""),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.linkname = len(content), linked
            entry.type = tarfile.LNKTYPE if linked else tarfile.REGTYPE
            archive.addfile(entry, io.BytesIO(content))
    source = open_source(str(tmp_path / "a.tar"))
    np.testing.assert_array_equal(source.images, [noise(3), noise(1)])
    assert source.notes == (
        "more than once in an archive, where the last counts: 'a.tar/1.png'",
        "left out, no regular file: 'a.tar/4.png'",
    )


@pytest.mark.parametrize(
    ("files", "pattern", "says"),
    [
        ({"1.png": True, "2.png": True, "2.cls": b"1"}, "a.tar", "a class of every image .*none of 'a.tar/1.png'"),
        ({"1.png": True, "1.json": b'{"label": {}}'}, "a.tar", "expected the class in 'a.tar/1.json' to be one, got"),
        ({"1.png": True, "1.json": b"{"}, "a.tar", "cannot read 'a.tar/1.json'"),
        ({"1.png": True, "1.cls": b" "}, "a.tar", "expected a class in 'a.tar/1.cls', found nothing"),
        ({"1.txt": b"x"}, "a.tar", "expected images in 1 tar archive .*found none"),
        ({"1.png": True}, "{a,b}.tar", "expected tar archives at '.*b.tar', found none"),
        ({"1.png": True}, "{3..1}.tar", "expected tar archives at '.*3.tar', found none"),
        ({"1.png": True}, "?b.tar", "expected tar archives at .*, found none"),
        (None, "a.tar", "expected a tar archive, got '.*a.tar'"),
        (b"\x1f\x8b" + bytes(600), "a.tar", "one that is compressed as a whole is to be unpacked"),
        ({"1.png": True}, "{1..0}{}.tar", "expected tar archives at '.*1{}.tar', found none"),
    ],
)  # fmt: skip
def test_wrong_shards_are_named(files, pattern, says, tmp_path, cache):
    path = tmp_path / "a.tar"
    if isinstance(files, dict):
        write_tar(path, {name: png(noise(1)) if x is True else x for name, x in files.items()})
    else:
        path.write_bytes(b"no archive" if files is None else files)
    with pytest.raises(InputError, match=f"^data.source: .*{says}"):
        open_source(f"tar:{tmp_path}/{pattern}")


def test_shards_that_are_cut_off_or_damaged_are_refused(tmp_path, cache):
    """Nowhere does an archive end early without a word, at a file's edge either."""
    path = tmp_path / "a.tar"
    write_tar(path, {f"{i}.png": png(noise(i)) for i in range(3)})
    whole = path.read_bytes()
    with tarfile.open(path) as archive:
        second, third = (entry.offset for entry in archive.getmembers()[1:])
    assert len(open_source(str(path))) == 3
    for content, says in {
        whole[:third]: "has no end mark",
        whole[: third + 100]: "has no end mark",
        whole[:second]
        + b"x" * 512
        + whole[second + 512 :]: f"no file of it can be read from byte {second:,} on",
        whole + whole: "goes on behind its end mark",
    }.items():
        path.write_bytes(content)
        with pytest.raises(
            InputError, match=f"^data.source: expected a tar archive, got '.*a.tar': .*{says}"
        ):
            open_source(str(path))
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(whole))
    with pytest.raises(InputError, match="compressed as a whole is to be unpacked"):
        open_source(str(packed))
