"""Pairs of two folders or side by side, and domains without pairs."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from jaxgan import InputError
from jaxgan.data import describe, open_source
from jaxgan.data.files.deep import as_array
from jaxgan.data.files.pairs import one_domain
from jaxgan.data.splits import as_recorded


def folder(path, images):
    path.mkdir()
    for name, value in images.items():
        Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path / name)
    return path


def test_pairs_are_matched_by_name_without_suffix(tmp_path):
    a = folder(tmp_path / "a", {f"{i}.png": i for i in range(9)})
    b = folder(tmp_path / "b", {f"{i}.bmp": 100 + i for i in range(2, 12)})
    source = open_source(f"pairs:{a},{b}", hold_out=0.2, channels=3)
    assert source.n + source.held_out.n == 7
    assert source.held_out.n == 1
    for part in (source, source.held_out):
        np.testing.assert_array_equal(part.arrays["image"], 100 + part.arrays["input"])
    assert any("none of that name: 5 images" in note for note in source.notes)
    assert source.spec.arrays["input"].shape == (8, 8, 3)


def test_halves_side_by_side_are_pairs(tmp_path):
    (tmp_path / "one").mkdir()
    for i in range(3):
        both = np.concatenate([np.full((6, 5), i), np.full((6, 5), 200 + i)], axis=1).astype(np.uint8)
        Image.fromarray(both).save(tmp_path / "one" / f"{i}.png")
    source = open_source(f"pairs:{tmp_path}/one", channels=1)
    assert source.arrays["input"].shape == (3, 6, 5, 1)
    np.testing.assert_array_equal(source.arrays["image"], 200 + source.arrays["input"])


def test_pairs_of_which_one_has_16_bits_keep_them(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (3, 8, 8)).astype(np.uint16)
    for name in "ab":
        (tmp_path / name).mkdir()
    for i in range(3):
        Image.fromarray(values[i]).save(tmp_path / "a" / f"{i}.png")
        Image.fromarray((values[i] >> 8).astype(np.uint8)).save(tmp_path / "b" / f"{i}.png")
    source = open_source(f"pairs:{tmp_path}/a,{tmp_path}/b", hold_out=0)
    np.testing.assert_array_equal(source.arrays["input"][..., 0], values)
    np.testing.assert_array_equal(source.arrays["image"][..., 0], (values >> 8) * np.uint16(257))
    assert source.spec.stored == "uint16"
    assert open_source(f"pairs:{tmp_path}/a,{tmp_path}/b", resolution=4).arrays["input"].dtype == np.uint16
    sides = open_source(f"pairs:{tmp_path}/a", hold_out=0)
    np.testing.assert_array_equal(sides.arrays["image"][..., 0], values[:, :, 4:])


def test_pairs_without_16_bits_stay_at_8(tmp_path):
    a = folder(tmp_path / "a", {f"{i}.png": i for i in range(3)})
    assert open_source(f"pairs:{a},{a}", hold_out=0).spec.stored == "uint8"


def test_what_is_held_out_of_a_domain_is_said_of_it(tmp_path):
    a = folder(tmp_path / "a", {f"{i}.png": i for i in range(10)})
    b = folder(tmp_path / "b", {f"{i}.png": 50 + i for i in range(20)})
    notes = [note for note in open_source(f"domains:{a},{b}", hold_out=0.1).notes if "held out" in note]
    assert [note.partition(":")[0] for note in notes] == ["the first domain", "the second domain"]
    assert ["1 of 10" in notes[0], "2 of 20" in notes[1]] == [True, True]


def test_pairs_of_which_none_can_be_held_out_say_so(tmp_path):
    a = folder(tmp_path / "a", {f"{i}.png": i for i in range(3)})
    few = open_source(f"pairs:{a},{a}", hold_out=0.1)
    assert few.held_out is None
    assert "so scores compare with training pairs: 3 pairs are too few for a share of 0.1" in few.notes[-1]
    assert not open_source(f"pairs:{a},{a}", hold_out=0).notes


def test_domains_of_which_one_holds_nothing_out_say_so(tmp_path):
    a = folder(tmp_path / "a", {f"{i}.png": i for i in range(20)})
    b = folder(tmp_path / "b", {f"{i}.png": 50 + i for i in range(3)})
    source = open_source(f"domains:{a},{b}", hold_out=0.1)
    assert source.held_out is None
    assert "scores compare with training images, as nothing is held out of the second domain" in source.notes


def test_domains_of_sources_with_another_split_say_that_nothing_is_held_out():
    told = "scores compare with training images, as nothing is held out of either domain"
    assert told in open_source("domains:mnist,mnist", resolution=4, hold_out=0.1).notes
    assert told not in open_source("domains:mnist,mnist", resolution=4).notes  # as is asked for


def test_domains_of_other_channels_or_bits_are_told_of(tmp_path):
    a = folder(tmp_path / "a", {"1.png": 1, "2.png": 2})
    for name, kind in (("grey", np.uint8), ("deep", np.uint16)):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.fromarray(np.full((8, 8), i, kind)).save(tmp_path / name / f"{i}.png")
    note = "the first domain is RGB and the second grey (--data.channels 3: both alike)"
    assert note in open_source(f"domains:{a},{tmp_path}/grey").notes
    assert note not in open_source(f"domains:{a},{tmp_path}/grey", channels=3).notes
    with pytest.raises(
        InputError, match="expected domains of one depth, got 8 bits and 16; domains:deep:A,deep:B"
    ):
        open_source(f"domains:{tmp_path}/grey,deep:{tmp_path}/deep")


def test_domains_of_other_numbers(tmp_path):
    a = folder(tmp_path / "a", {f"{i}.png": i for i in range(5)})
    b = folder(tmp_path / "b", {f"{i}.png": 50 + i for i in range(12)})
    source = open_source(f"domains:{a},{b}", resolution=8, channels=1)
    values = {name: x[:, 0, 0, 0] for name, x in source.arrays.items()}
    assert len(values["a"]) == len(values["b"]) == 12
    assert {*values["a"]} == set(range(5))
    assert sorted(values["b"]) == list(range(50, 62))
    assert one_domain(source, "a").n == 5  # each once


def test_deep_images_keep_their_bits(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 65536, (3, 9, 9)).astype(np.uint16)
    for i, name in enumerate(("a.png", "b.tif")):
        Image.fromarray(values[i]).save(tmp_path / name)
    Image.fromarray((values[2] >> 8).astype(np.uint8)).save(tmp_path / "c.png")
    source = open_source(f"deep:{tmp_path}")
    np.testing.assert_array_equal(source.images[:2, ..., 0], values[:2])
    np.testing.assert_array_equal(source.images[2, ..., 0], (values[2] >> 8) * np.uint16(257))
    assert source.spec.stored == "uint16"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "d.png")
    with pytest.raises(InputError, match="expected grey images"):
        open_source(f"deep:{tmp_path}")


def test_pairs_are_grey_if_all_of_them_are(tmp_path):
    for name, colours in (("a", 3), ("b", 1)):
        (tmp_path / name).mkdir()
        for i in range(3):
            image = np.full((4, 4, 3), (10, 200, 30), np.uint8)
            Image.fromarray(image if i == 2 and colours == 3 else image[..., 0]).save(
                tmp_path / name / f"{i}.png"
            )
    (tmp_path / "a" / "3.png").write_bytes(b"broken")
    (tmp_path / "b" / "3.png").write_bytes(b"broken")
    source = open_source(f"pairs:{tmp_path}/a,{tmp_path}/b", skip_broken=True)
    assert source.arrays["input"].shape == (3, 4, 4, 3)
    assert source.notes[-1] == "left out, cannot be read: 1 file"
    both = open_source(f"domains:{tmp_path}/a,{tmp_path}/b", skip_broken=True, channels=3)
    assert both.skipped == 2
    assert sum("left out, cannot be read: 1 file" in note for note in both.notes) == 2
    (tmp_path / "a" / "2.png").unlink()
    source = open_source(f"pairs:{tmp_path}/a,{tmp_path}/b", skip_broken=True)
    assert source.arrays["input"].shape == (2, 4, 4, 1)


def test_hidden_files_and_links_out_of_a_folder_of_deep_images(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    for path in (inside, outside):
        path.mkdir()
        Image.fromarray(np.full((4, 4), 300, np.uint16)).save(path / "a.png")
    (inside / "._a.png").write_bytes(b"of a file system")
    assert open_source(f"deep:{inside}").n == 1
    (inside / "more").symlink_to(outside)
    with pytest.raises(InputError, match="expected links that stay in"):
        open_source(f"deep:{inside}")
    assert open_source(f"deep:{inside}", follow_links=True).n == 2


def test_all_modes_of_images_have_their_bits():
    lab = as_array(Image.new("LAB", (2, 2), (255, 128, 128)))
    assert lab.shape == (2, 2, 3)
    assert lab.min() > 240
    assert as_array(Image.new("CMYK", (2, 2))).shape == (2, 2, 3)


def test_what_cannot_be_is_one_line(tmp_path):
    a = folder(tmp_path / "a", {"1.png": 1})
    b = folder(tmp_path / "b", {"2.png": 1})
    (tmp_path / "c").mkdir()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "c" / "1.png")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    folder(tmp_path / "e", {"1.png": 1, "1.bmp": 2})
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        archive.writestr("1.png", bytes(range(200)))
    damaged = (tmp_path / "f.zip").read_bytes().replace(bytes(range(100)), bytes(100))
    (tmp_path / "f.zip").write_bytes(damaged)
    for spec, said in (
        (f"pairs:{a},{b}", "none in both"),
        (f"pairs:{a},{tmp_path}/no", "does not exist"),
        (f"pairs:{a},{tmp_path}/c", "say one, such as --data.resolution"),
        (f"pairs:{a},{tmp_path}/d", "cannot read image '1'"),
        (f"pairs:{a},{tmp_path}/e", "expected one image of each name, but for its suffix"),
        (f"pairs:{a},{tmp_path}/f.zip", "cannot read image '1'"),
        (f"domains:{a}", "expected two sources"),
        (f"domains:{a},{tmp_path}/c", "--data.resolution scales both"),
    ):
        with pytest.raises(InputError) as error:
            open_source(spec)
        assert said in str(error.value)
        assert "\n" not in str(error.value)


def test_folders_of_pairs_are_their_classes(tmp_path):
    names = [f"{kind}/{i}" for kind in ("cat", "dog", "owl") for i in range(6)]
    for side, more in (("a", 0), ("b", 100)):
        for i, name in enumerate(names):
            (tmp_path / side / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8), more + i, np.uint8)).save(tmp_path / side / f"{name}.png")
    two = f"pairs:{tmp_path}/a,{tmp_path}/b"
    whole = open_source(two, hold_out=0.3)
    one = open_source(f"pairs:{tmp_path}/a", hold_out=0)  # halves side by side
    kept = open_source(two, hold_out=0.3, keep_classes="cat,owl")
    assert whole.class_names == one.class_names == ("cat", "dog", "owl")
    assert kept.class_names == ("cat", "owl")
    for source in (whole, whole.held_out, kept, kept.held_out, one):
        own = source.arrays["input"][:, 0, 0, 0] // 6  # number of the folder
        labels = [("cat", "dog", "owl").index(source.class_names[label]) for label in source.arrays["label"]]
        np.testing.assert_array_equal(labels, own)
    assert whole.spec.arrays == whole.held_out.spec.arrays
    assert whole.spec.n_classes == whole.held_out.spec.n_classes == 3
    assert whole.n + whole.held_out.n == 18
    assert {*whole.arrays["label"]} == {0, 1, 2}


@pytest.mark.parametrize("folders", [("train", "test"), ("cat",), ("cat", "dog", ".")])
def test_other_folders_of_pairs_are_no_classes(tmp_path, folders):
    for name in folders:
        (tmp_path / name).mkdir(exist_ok=True)
        for i in range(3):
            Image.fromarray(np.full((8, 8), i, np.uint8)).save(tmp_path / name / f"{i}.png")
    source = open_source(f"pairs:{tmp_path},{tmp_path}", hold_out=0)
    assert source.n == 3 * len(folders)
    assert source.class_names == ()
    with pytest.raises(InputError, match=r"data\.keep_classes: expected data with classes"):
        open_source(f"pairs:{tmp_path},{tmp_path}", keep_classes="cat")


def test_no_class_is_held_out_as_a_whole(tmp_path):
    """Of classes whose pairs are all equal nothing is held out, whatever the share."""
    for i in range(4):
        (tmp_path / str(i)).mkdir()
        for name in "xy":
            Image.fromarray(np.full((8, 8), i, np.uint8)).save(tmp_path / str(i) / f"{name}.png")
    source = open_source(f"pairs:{tmp_path},{tmp_path}", hold_out=0.5)
    assert source.held_out is None
    assert (source.n, source.n_classes) == (8, 4)


def test_a_folder_for_each_pair_is_no_class(tmp_path):
    """As of data with a folder a scene, of which some are held out as ever."""
    for i in range(4):
        (tmp_path / str(i)).mkdir()
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(tmp_path / str(i) / "x.png")
    source = open_source(f"pairs:{tmp_path},{tmp_path}", hold_out=0.5)
    assert source.n_classes == 0
    assert (source.n, source.held_out.n) == (2, 2)


def test_a_run_that_knew_of_no_classes_finds_its_pairs_without_them(tmp_path):
    for i in range(8):
        for path in (tmp_path / "flat" / f"{i}.png", tmp_path / "in" / "ab"[i // 4] / f"{i}.png"):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8), i, np.uint8)).save(path)
    flat, classes = (open_source(f"pairs:{tmp_path / name}", hold_out=0.3) for name in ("flat", "in"))
    began = as_recorded(classes, describe(flat))
    assert classes.n_classes == 2
    for one, other in ((began, flat), (began.held_out, flat.held_out)):
        assert describe(one) | {"name": ""} == describe(other) | {"name": ""}
    assert as_recorded(classes, describe(classes)) is classes


def test_folders_by_thousands_are_no_classes_of_pairs(tmp_path):
    for i in (5, 1005):
        path = tmp_path / f"{i // 1000 * 1000:05d}" / f"{i:05d}.png"
        path.parent.mkdir()
        Image.fromarray(np.full((8, 8), i % 250, np.uint8)).save(path)
    for name in (f"pairs:{tmp_path},{tmp_path}", f"pairs:{tmp_path}"):
        assert open_source(name, hold_out=0).n_classes == 0
