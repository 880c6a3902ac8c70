"""What a folder or an archive of images holds: every layout that people bring, and every trap in it."""

import io
import json
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.data import open_source, other_split
from jaxgan.data.splits import with_classes_of
from jaxgan.metrics.given import open_images


def shade(value, size=4, mode="L"):
    """One flat picture, told from others by its shade."""
    return Image.new(mode, (size, size), value if mode in ("L", "P") else (value,) * len(mode))


def save(path, value, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    shade(value).save(path, **options)


def png(value):
    buffer = io.BytesIO()
    shade(value).save(buffer, "PNG")
    return buffer.getvalue()


def opened(path, split="train", **options):
    return open_source(f"folder:{path}", split, **options)


def shades(source):
    return [int(image.flat[0]) for image in source.images]


def zipped(path, entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


# --- the cache ------------------------------------------------------------------------------------


def test_the_cache_tells_folders_apart_by_content(tmp_path, cache):
    """Same names, sizes and times; only the pixels differ. Later the file changes in its place."""
    for name, value in (("one", 7), ("two", 9)):
        save(tmp_path / name / "a.bmp", value)
        os.utime(tmp_path / name / "a.bmp", (1, 1))
    sizes = {(tmp_path / name / "a.bmp").stat().st_size for name in ("one", "two")}
    assert len(sizes) == 1
    assert (shades(opened(tmp_path / "one")), shades(opened(tmp_path / "two"))) == ([7], [9])
    save(tmp_path / "one" / "a.bmp", 11)
    os.utime(tmp_path / "one" / "a.bmp", (1, 1))
    assert shades(opened(tmp_path / "one")) == [11]


def test_the_cache_tells_labels_apart(tmp_path, cache):
    for i in range(2):
        save(tmp_path / "00000" / f"img0000000{i}.png", i)
    for labels in ([3, 5], [5, 3], None):
        pairs = None if labels is None else [[f"00000/img0000000{i}.png", labels[i]] for i in range(2)]
        (tmp_path / "dataset.json").write_text(json.dumps({"labels": pairs}))
        source = opened(tmp_path)
        assert source.class_names == (() if labels is None else ("3", "5"))
        found = None if labels is None else [source.class_names[c] for c in source.labels]
        assert found == (None if labels is None else list(map(str, labels)))


# --- formats --------------------------------------------------------------------------------------


def test_everything_that_pillow_reads_is_read(tmp_path, cache):
    names = [
        "a.bmp",
        "b.jfif",
        "c.jpe",
        "d.tif",
        "e.tiff",
        "f.avif",
        "g.gif",
        "h.png",
        "i.webp",
        "j.ppm",
        "k.tga",
        "l.jp2",
        "m.ico",
        "n.qoi",
        "o.PNG",
    ]
    for i, name in enumerate(names):
        options = {"format": "JPEG"} if name[2:] in ("jfif", "jpe") else {}
        shade(10 * i, 16, "RGB").save(tmp_path / name, **options)
    shade(200, 16, "RGB").save(tmp_path / "without-suffix", "PNG")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic")
    source = opened(tmp_path, channels=1)
    assert len(source) == len(names) + 1
    np.testing.assert_allclose(shades(source), [*range(0, 10 * len(names), 10), 200], atol=12)
    assert source.notes == ("left out, no images that can be read: 3 files (1 .heic, 1 .mp4, 1 .txt)",)


def test_an_animation_counts_by_its_first_frame(tmp_path, cache):
    frames = [shade(value) for value in (40, 80, 120)]
    for suffix in ("gif", "png", "tif"):
        frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    source = opened(tmp_path)
    assert (shades(source), source.shape[2]) == ([40, 40, 40], 1)


def test_a_postscript_file_that_is_called_png_is_not_run(tmp_path, cache):
    (tmp_path / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n")
    with pytest.raises(InputError, match=r"broken image '.*a.png'"):
        opened(tmp_path)


# --- StyleGAN's layout ------------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["folder", "zip", "backslashes", "top folder"])
def test_labels_of_stylegan(tmp_path, cache, container):
    names = [f"{i // 2:05d}/img{i:08d}.png" for i in range(4)]
    labels = {"labels": [[name, label] for name, label in zip(names, (2, 0, 2, 7), strict=True)]}
    entries = [(name, png(i)) for i, name in enumerate(names)] + [("dataset.json", json.dumps(labels))]
    if container == "folder":
        for name, content in entries:
            path = tmp_path / "d" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path = tmp_path / "d"
    else:
        change = {"backslashes": lambda n: n.replace("/", "\\"), "top folder": lambda n: f"top/{n}"}
        rename = change.get(container, lambda n: n)
        path = zipped(tmp_path / "d.zip", [(rename(name), content) for name, content in entries])
    source = opened(path)
    assert source.class_names == ("0", "2", "7")
    assert shades(source) == [0, 1, 2, 3]
    assert source.labels.tolist() == [1, 0, 1, 2]


ONE_HOT = [["a/x.png", [0, 1]], ["b/y.png", [1, 0]]]
OTHER_NAMES = [["a\\x.png", "cat"], ["./b/y.png", "dog"]]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (None, ()),
        ([], ()),
        ({"a/x.png": 1, "b/y.png": 0}, ("0", "1")),
        (ONE_HOT, ("0", "1")),
        (OTHER_NAMES, ("cat", "dog")),
    ],
)
def test_forms_of_labels_in_json(tmp_path, cache, labels, names):
    save(tmp_path / "a" / "x.png", 1)
    save(tmp_path / "b" / "y.png", 2)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    assert opened(tmp_path).class_names == names


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"labels": [["a/x.png", 1]]}',
            "expected a label of every image in 'dataset.json', found none of 'b/y.png'",
        ),
        (
            '{"labels": [["a/x.png", 1.5], ["b/y.png", 0]]}',
            "pairs of a file and its class, got the label 1.5",
        ),
        ('{"labels": [["a/x.png", [0.3, 1]], ["b/y.png", 0]]}', "got the label"),
        ('{"labels": [1, 2]}', "pairs of a file and its class, got '1'"),
        ('{"labels": [', "cannot read 'dataset.json'"),
    ],
)
def test_labels_that_do_not_fit_are_named(tmp_path, cache, content, message):
    save(tmp_path / "a" / "x.png", 1)
    save(tmp_path / "b" / "y.png", 2)
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        opened(tmp_path)


@pytest.mark.parametrize("container", ["folder", "zip"])
def test_labels_of_stylegan_in_capitals(tmp_path, cache, container):
    content = json.dumps({"labels": [["0.png", 1], ["1.png", 0]]})
    if container == "zip":
        path = zipped(tmp_path / "x.zip", [("0.png", png(0)), ("1.png", png(1)), ("Dataset.JSON", content)])
    else:
        path = tmp_path / "x"
        for i in range(2):
            save(path / f"{i}.png", i)
        (path / "dataset.JSON").write_text(content)
    assert opened(path).labels.tolist() == [1, 0]


def test_a_json_of_another_kind_is_said_and_not_read(tmp_path, cache):
    save(tmp_path / "a" / "x.png", 1)
    save(tmp_path / "b" / "y.png", 2)
    (tmp_path / "dataset.json").write_text('{"images": []}')
    source = opened(tmp_path)
    assert source.class_names == ("a", "b")
    assert "'dataset.json' is not read: it has no 'labels'" in " ".join(source.notes)


@pytest.mark.parametrize("name", ["img{:08d}.png", "{:05d}.png"])
def test_images_numbered_through_have_no_classes(tmp_path, cache, name):
    for i in (0, 1, 1000):
        folder = f"{i // 1000:05d}" if name.startswith("img") else f"{i // 1000 * 1000:05d}"
        save(
            tmp_path
            / folder
            / name.format(i if not name.startswith("img") else int(folder) * 1000 + i % 1000),
            i % 255,
        )
    assert opened(tmp_path).class_names == ()


# --- archives ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_of_archives(tmp_path, cache):
    """Twice the same name, backslashes, empty parts, links, and what systems leave."""
    link = zipfile.ZipInfo("a/link.png")
    link.external_attr = 0o120777 << 16
    entries = [
        ("a/x.png", png(1)), ("a/x.png", png(2)), ("b\\y.png", png(3)), ("./b/y.png", png(4)), ("b/", b""),
        (link, "x.png"), ("__MACOSX/a/._x.png", b"x"), ("c\\", b""),
    ]  # fmt: skip
    source = opened(zipped(tmp_path / "a.zip", entries))
    assert (shades(source), source.class_names) == ([2, 4], ("a", "b"))
    text = "; ".join(source.notes)
    assert "more than once in the archive, where the last counts: 'a/x.png', 'b/y.png'" in text
    assert "links inside an archive: 'a/link.png'" in text
    assert "no class, as without images: 'c'" in text


# --- classes ----------------------------------------------------------------------------------------


def test_classes_stand_in_natural_order(tmp_path, cache):
    for i in range(12):
        save(tmp_path / str(i) / "a.png", i)
    source = opened(tmp_path)
    assert source.class_names == tuple(map(str, range(12)))
    assert [shades(source)[i] for i in np.argsort(source.labels)] == list(range(12))
    for name in ("b10", "b9", "B1", "b"):
        save(tmp_path / "named" / name / "a.png", 1)
    assert opened(tmp_path / "named").class_names == ("B1", "b", "b9", "b10")


def test_an_image_beside_the_classes_costs_no_labels(tmp_path, cache):
    for i in range(4):
        save(tmp_path / "cd"[i % 2] / f"{i}.png", i)
    save(tmp_path / "cover.png", 99)
    source = opened(tmp_path)
    assert (source.class_names, 99 in shades(source)) == (("c", "d"), False)
    assert "left out, beside the folders of the classes: 1 image ('cover.png')" in source.notes
    for i in range(4):
        save(tmp_path / f"loose{i}.png", 100 + i)
    source = opened(tmp_path)  # most images lie beside the folders: these are no classes
    assert (source.class_names, len(source)) == ((), 9)
    assert "no classes, as 5 images beside the folders 'c', 'd'" in source.notes


def test_empty_folders_are_no_classes_and_are_named(tmp_path, cache):
    for name in "ac":
        save(tmp_path / name / "x.png", ord(name))
    (tmp_path / "b" / "deeper").mkdir(parents=True)
    (tmp_path / "b" / "x.heic").write_bytes(b"x")
    source = opened(tmp_path)
    assert (source.class_names, source.labels.tolist()) == (("a", "c"), [0, 1])
    assert "no class, as without images: 'b'" in source.notes


def test_one_folder_is_no_class(tmp_path, cache):
    for i in range(2):
        save(tmp_path / "photos" / f"{i}.png", i)
    assert opened(tmp_path).class_names == ()
    save(tmp_path / "photos" / "more" / "a.png", 5)
    assert len(opened(tmp_path)) == 3


@pytest.mark.parametrize("layout", ["{split}/{name}", "{name}/{split}", "top/{split}/{name}", "{split}"])
def test_train_and_test_are_splits(tmp_path, cache, layout):
    for split, values in (("train", (1, 2, 3)), ("Test", (4, 5)), ("validation", (6,))):
        for value in values:
            save(
                tmp_path / layout.format(split=split, name=("cat", "dog")[value % 2]) / f"{value}.png", value
            )
    train, test, val = (opened(tmp_path, split) for split in ("train", "test", "val"))
    named = lambda source: sorted(
        (shade, source.class_names[label]) for shade, label in zip(shades(source), source.labels, strict=True)
    )
    if layout == "{split}":
        assert (shades(train), shades(test), train.class_names) == ([1, 2, 3], [4, 5], ())
    else:
        assert train.class_names == test.class_names == ("cat", "dog")
        assert named(train) == [(1, "dog"), (2, "cat"), (3, "dog")]
        assert named(test) == [(4, "cat"), (5, "dog")]
    held_out = other_split(train)
    assert (shades(held_out), held_out.class_names) == (shades(test), train.class_names)
    assert shades(other_split(test)) == shades(train)
    assert shades(val) == [6]
    assert "not used: split val (1 image)" in train.notes
    with pytest.raises(InputError, match="data.split: expected one of train, test, val, got 'nope'"):
        opened(tmp_path, "nope")


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("training", "holdout"),
        ("train", "dev"),
        ("1.train", "2.test"),
        ("Train Images", "held-out"),
        ("train_64", "test_64"),
        ("photos-train", "photos-val"),
        ("train.small", "test.small"),
    ],
)
def test_splits_with_affixes_are_splits(tmp_path, cache, train, test):
    for name in (f"{train}/a/1", f"{train}/b/2", f"{test}/a/3", f"{test}/b/4"):
        save(tmp_path / f"{name}.png", int(name[-1]))
    source = opened(tmp_path)
    assert (shades(source), source.class_names) == ([1, 2], ("a", "b"))
    assert (shades(other_split(source)), other_split(source).class_names) == ([3, 4], ("a", "b"))
    assert not [note for note in source.notes if "although" in note]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("fold{}_train", "fold{}_test"),
        ("x{}_train", "x{}_val"),
        ("train_{}", "test_{}"),
        ("train{}", "val{}"),
    ],
)
def test_folders_that_number_one_split_through_are_no_splits(tmp_path, cache, train, test):
    """Those of folds, sizes and years share images: none of them is held out of all others."""
    names = [name.format(number) for name in (train, test) for number in (1, 2)]
    for i, name in enumerate(names):
        save(tmp_path / name / f"{i}.png", i)
    source = opened(tmp_path)
    assert (len(source), source.class_names) == (4, tuple(sorted(names)))
    assert [note for note in source.notes if note.startswith("classes, and no splits, although")]
    for name in ("train/5", "test/6"):  # these are, and the numbered ones are in neither
        save(tmp_path / f"{name}.png", int(name[-1]))
    source = opened(tmp_path)
    assert (shades(source), shades(other_split(source))) == ([5], [6])
    assert [note for note in source.notes if note.startswith("left out, in no split: 4 images")]


def test_a_number_that_all_splits_share_is_of_the_class(tmp_path, cache):
    for name in ("cat2_train/1", "dog_train/2", "cat2_test/3", "dog_test/4"):
        save(tmp_path / f"{name}.png", int(name[-1]))
    source = opened(tmp_path)
    assert (shades(source), source.class_names) == ([1, 2], ("cat2", "dog"))


@pytest.mark.parametrize("names", [("train", "car"), ("train", "bullet_train", "car"), ("dev", "car")])
def test_classes_whose_names_tell_of_one_split_are_no_news(tmp_path, cache, names):
    for i, name in enumerate(names):
        save(tmp_path / name / f"{i}.png", i)
    source = opened(tmp_path)
    assert source.class_names == tuple(sorted(names))
    assert not [note for note in source.notes if "although" in note]


def test_splits_of_two_domains_are_no_classes(tmp_path, cache):
    """CycleGAN's layout: the domains are the classes, and what is tested on is held out."""
    for name in ("trainA/1", "trainB/2", "testA/3", "testB/4"):
        save(tmp_path / f"{name}.png", int(name[-1]))
    source = opened(tmp_path)
    assert (shades(source), source.class_names) == ([1, 2], ("A", "B"))
    assert (shades(other_split(source)), other_split(source).labels.tolist()) == ([3, 4], [0, 1])


@pytest.mark.parametrize(
    "names",
    [
        ("train set", "test_tube", "car"),
        ("freight_train", "test_tube"),
        ("trainA", "testB"),
        ("trainA", "held_outB"),
        ("train_1", "train_2", "val_A", "car"),
    ],
)
def test_classes_whose_names_tell_of_splits_are_told_of(tmp_path, cache, names):
    for i, name in enumerate(names):
        save(tmp_path / name / f"{i}.png", i)
    source = opened(tmp_path)
    assert source.class_names == tuple(sorted(names))
    told = [note for note in source.notes if note.startswith("classes, and no splits, although")]
    assert len(told) == 1
    assert all((repr(name) in told[0]) == (name != "car") for name in names)


@pytest.mark.parametrize(
    ("train", "test", "asked"),
    [
        ("train", "dev", ("dev", "validation", "val", "Dev")),
        ("training", "holdout", ("holdout", "test", "held-out")),
        ("photo_train", "photo_test", ("photo_test", "test", "testing")),
        ("1.train", "2.test", ("2.test", "test")),
    ],
)
def test_splits_are_asked_for_as_their_folders_are_called(tmp_path, cache, train, test, asked):
    for name in (f"{train}/1", f"{test}/2"):
        save(tmp_path / f"{name}.png", int(name[-1]))
    for split in asked:
        source = opened(tmp_path, split)
        assert (shades(source), shades(other_split(source))) == ([2], [1])
    assert shades(opened(tmp_path, train)) == shades(opened(tmp_path, "training")) == [1]
    for split in ("dog_test", "dog_val", "3.test"):
        with pytest.raises(InputError, match=f"data.split: expected one of train, [a-z]+, got '{split}'"):
            opened(tmp_path, split)


def test_a_folder_that_is_part_of_a_split_is_not_asked_for(tmp_path, cache):
    for name in ("trainA/1", "trainB/2", "testA/3", "testB/4"):
        save(tmp_path / f"{name}.png", int(name[-1]))
    with pytest.raises(InputError, match="data.split: expected one of train, test, got 'testA'"):
        opened(tmp_path, "testA")


def test_splits_share_their_classes(tmp_path, cache):
    for name in ("train/b/1", "train/c/2", "test/a/3", "test/c/4", "ground_truth/c/5"):
        save(tmp_path / f"{name}.png", int(name[-1]))
    train = opened(tmp_path)
    held_out = other_split(train)
    assert held_out.class_names == train.class_names == ("b", "c")
    assert (shades(held_out), held_out.labels.tolist()) == ([4], [1])
    assert "left out of what is held out, of classes that are not trained on: 1 image" in train.notes
    assert "left out, in no split: 1 image ('ground_truth/c/5.png')" in train.notes


def test_splits_without_one_to_train_on(tmp_path, cache):
    for name in ("test/a/1", "test/b/2", "val/a/3", "val/b/4"):
        save(tmp_path / f"{name}.png", int(name[-1]))
    with pytest.raises(InputError, match="data.split: expected one of test, val, got 'train'"):
        opened(tmp_path)
    assert shades(opened(tmp_path, "test")) == [1, 2]
    assert shades(other_split(opened(tmp_path, "test"))) == [3, 4]


def test_a_class_called_train_is_a_class(tmp_path, cache):
    for name in ("train", "car", "testament"):
        save(tmp_path / name / "a.png", 1)
    assert opened(tmp_path).class_names == ("car", "testament", "train")


# --- links ------------------------------------------------------------------------------------------


def test_links_multiply_nothing(tmp_path, cache):
    root = tmp_path / "root"
    save(root / "a" / "1.png", 1)
    save(root / "b" / "2.png", 2)
    save(tmp_path / "elsewhere" / "3.png", 3)
    (root / "a" / "loop").symlink_to(root)
    (root / "a" / "up").symlink_to(tmp_path)
    (root / "a" / "self").symlink_to("self")
    (root / "twin").symlink_to(root / "b")
    (root / "c").symlink_to(tmp_path / "elsewhere")
    source = opened(root, follow_links=True)
    assert (shades(source), source.class_names) == ([1, 2, 3], ("a", "b", "c"))
    assert (
        "linked folders not followed, as they lead back or are read already: 'a/loop', 'a/up', 'twin'"
        in "; ".join(source.notes)
    )


def test_links_to_files_that_are_read_are_told_of(tmp_path, cache):
    for name in ("pool/1", "pool/2", "a/3"):
        save(tmp_path / f"{name}.png", int(name[-1]))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "4.png").symlink_to("../pool/1.png")
    source = opened(tmp_path)
    assert "links to files that are read as well, which so count again: 'b/4.png'" in source.notes
    (tmp_path / "a" / "3.png").rename(tmp_path / ".hidden.png")
    for name in ("a", "b"):
        (tmp_path / name / "5.png").symlink_to("../.hidden.png")
    (tmp_path / "b" / "4.png").unlink()
    assert "links to files that are read as well, which so count again: 'b/5.png'" in opened(tmp_path).notes
    (tmp_path / "b" / "5.png").unlink()
    save(tmp_path / "b" / "6.png", 6)
    assert not [note for note in opened(tmp_path).notes if "links" in note]


def test_links_to_nothing_are_broken_images(tmp_path, cache):
    save(tmp_path / "a.png", 1)
    (tmp_path / "b.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "c.png").symlink_to("c.png")
    with pytest.raises(InputError, match=r"broken image '.*b.png' .*--data.skip-broken"):
        opened(tmp_path)
    source = opened(tmp_path, skip_broken=True)
    assert "left out, cannot be read: 2 files" in source.notes
    assert (shades(source), source.skipped) == ([1], 2)


def test_pipes_are_left_out_and_never_waited_for(tmp_path, cache):
    save(tmp_path / "a.png", 1)
    os.mkfifo(tmp_path / "b.png")
    source = opened(tmp_path)
    assert shades(source) == [1]
    assert "left out, no regular file: 'b.png'" in source.notes


# --- names ------------------------------------------------------------------------------------------


def test_names_that_are_not_utf8(tmp_path, cache):
    root = os.fsencode(tmp_path / "r")
    for name in (b"caf\xe9", b"line\nbreak"):
        os.makedirs(root + b"/" + name)
        shade(len(name)).save(os.fsdecode(root + b"/" + name + b"/\xff.png"))
    source = opened(tmp_path / "r")
    assert source.class_names == ("caf\\xe9", "line\\nbreak")
    os.rename(root, os.fsencode(tmp_path) + b"/\xfe")
    again = opened(os.fsdecode(os.fsencode(tmp_path) + b"/\xfe"))
    assert again.fingerprint == source.fingerprint
    assert again.name.encode().endswith(b"\\xfe")
    with pytest.raises(InputError, match="does not exist"):
        opened("~nobody-of-this-name/x")


def test_the_command_says_what_is_left_out(tmp_path, cache, capsys):
    for name in ("a/1.png", "b/2.png", "3.png"):
        save(tmp_path / "d" / name, 1)
    assert main(["data", "show", f"folder:{tmp_path / 'd'}", "--out", str(tmp_path / "x.png")]) == 0
    assert "left out, beside the folders of the classes: 1 image ('3.png')" in capsys.readouterr().out
    with pytest.warns(UserWarning, match="real: left out, beside the folders of the classes: 1 image"):
        open_images(str(tmp_path / "d"), "real")


def test_classes_of_fakes_are_those_of_the_reals_by_name(tmp_path, cache):
    """Fakes of some of the classes, whose numbers are others then."""
    for name in "abc":
        for i in range(3):
            save(tmp_path / "real" / name / f"{i}.png", 50 * ord(name) % 250 + i)
    for name in "bc":
        for i in range(3):
            save(tmp_path / "fake" / name / f"{i}.png", 50 * ord(name) % 250 + i)
    real, fake = (opened(tmp_path / name) for name in ("real", "fake"))
    shared = with_classes_of(real, fake)
    assert shared.class_names == real.class_names == ("a", "b", "c")
    assert fake.labels.tolist() == [0] * 3 + [1] * 3
    assert shared.labels.tolist() == [1] * 3 + [2] * 3
    assert shades(shared) == shades(fake)
