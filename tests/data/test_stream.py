"""Data that are streamed: the batches of those that are resident, bit for bit, and never all of them in memory."""

import copy
import pathlib
import threading
import tracemalloc
import warnings
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import same_arrays, small
from small_images import noise, png, write_tar
from tiny_tfds import write_array_record_dataset

from jaxgan import InputError, make_mesh
from jaxgan.config import ComputeConfig, DataConfig
from jaxgan.data import catalogue, make_pipeline, open_source, rows
from jaxgan.data import pipeline as pipeline_module
from jaxgan.data.decoding import choice, passes, stamps
from jaxgan.data.files import folder as folder_module
from jaxgan.data.files.listing import Listing
from jaxgan.metrics import ImageEvaluator
from jaxgan.metrics.features.random_cnn import random_cnn
from jaxgan.metrics.given import FixedImages
from jaxgan.runs import checksums
from jaxgan.train.members import set_up

N = 20


def write_folder(root, n=N, pixels=noise):
    for i in range(n):
        path = root / ("cat", "dog")[i % 2] / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(pixels(i)))
    return root


@pytest.fixture
def stored(tmp_path, cache, monkeypatch, request):
    """The name of a source with N images of two classes, as a folder, a zip archive, shards, and TFDS have them."""
    root = tmp_path / "images"
    if request.param == "tfds":
        monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
        write_array_record_dataset(tmp_path / "tfds", n=N)
        return "tfds:tiny"
    write_folder(root)
    if request.param == "folder":
        return f"folder:{root}"
    if request.param == "zip":
        with zipfile.ZipFile(tmp_path / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(root.rglob("*.png")):
                archive.write(path, path.relative_to(root))
        return f"folder:{tmp_path / 'images.zip'}"
    for shard in range(2):
        files = {}
        for path in sorted(root.rglob("*.png"))[shard::2]:
            files |= {path.name: path.read_bytes(), f"{path.stem}.cls": path.parent.name.encode()}
        write_tar(tmp_path / f"shard-{shard:03}.tar", files)
    return f"tar:{tmp_path}/shard-{{000..001}}.tar"


def batches(pipeline, steps, first=0):
    inputs, prepare = pipeline.inputs(first), jax.jit(pipeline.prepare)
    return [jax.tree.map(np.asarray, prepare(next(inputs), jnp.int32(first + i))) for i in range(steps)]


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("stored", ["folder", "zip", "tar", "tfds"], indirect=True)
def test_what_is_streamed_is_what_is_resident(stored):
    resident, stream = (
        open_source(stored, resolution=6, hold_out=0.25, share=0.8, pipeline=kind)
        for kind in ("resident", "stream")
    )
    assert not rows.encoded(resident.images)
    for a, b in (
        (resident, stream),
        (resident.held_out, stream.held_out),
        (resident.complete, stream.complete),
    ):
        assert rows.encoded(b.images)
        for field in ("name", "fingerprint", "class_names", "notes", "n", "whole"):
            assert getattr(a, field) == getattr(b, field), field
        np.testing.assert_array_equal(a.labels, b.labels)
        np.testing.assert_array_equal(a.images, b.images)
        assert a.facts() == b.facts()
        same(a.of_each_class(3, 0), b.of_each_class(3, 0))
        same(a.two_sets(4, 1), b.two_sets(4, 1))
    options = {"batch_size": 4, "d_steps": 2, "seed": 3, "flip": True}
    whole = batches(make_pipeline(resident, pipeline="resident", **options), 6)
    for mesh in (None, make_mesh()):  # from step 2 on, too: nothing is stored
        same(batches(make_pipeline(stream, pipeline="stream", mesh=mesh, **options), 4, first=2), whole[2:])


@pytest.mark.parametrize("stored", ["folder"], indirect=True)
def test_what_stands_for_an_array_is_indexed_as_it_is(stored):
    stream = open_source(stored, pipeline="stream").images
    whole, mask = np.asarray(stream), np.arange(N) % 3 == 0
    for lazy, array in ((stream, whole), (rows.Rows(whole, np.arange(N)[::-1]), whole[::-1])):
        for index in (
            0,
            -1,
            mask,
            [3, 1],
            slice(2, 9, 3),
            (0, 1),
            (2, ..., 0),
            (..., 0),
            (slice(4), 1, slice(2)),
        ):
            np.testing.assert_array_equal(lazy[index], array[index])
        np.testing.assert_array_equal(lazy[[1, 2], 3, :, 0], array[[1, 2], 3, :, 0])
        np.testing.assert_array_equal(lazy[[1, 2], [3, 4]], array[[1, 2], [3, 4]])


@pytest.fixture
def not_at_once(monkeypatch):
    """Data that are streamed may not be decoded all at once."""
    whole = rows.Lazy.__array__

    def not_encoded(self, *args, **kwargs):
        assert not self.is_encoded
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(rows.Lazy, "__array__", not_encoded)


@pytest.mark.parametrize("stored", ["folder"], indirect=True)
def test_streaming_changes_no_bit_of_training(stored, tmp_path, not_at_once):
    states, described = [], []
    for kind in ("resident", "stream"):
        data = DataConfig(stored, hold_out=0.3, flip=True, pipeline=kind)
        members = set_up(small(tmp_path, data=data, compute=ComputeConfig(devices=1, steps_per_dispatch=1)))
        made, inputs = members.init(), members.inputs(0)
        for step in range(4):
            made, _ = members.advance(made, inputs, step)
        states.append(dict(checksums.arrays(members.member(made, 0))))
        described.append(members.data)
    same_arrays(*states)
    assert described[0] == described[1]


@pytest.mark.parametrize("stored", ["folder"], indirect=True)
def test_scores_are_computed_by_streaming(stored, not_at_once):
    found = []
    for kind in ("resident", "stream"):
        source = open_source(stored, hold_out=0.4, resolution=16, pipeline=kind)
        evaluator = ImageEvaluator(source, network=random_cnn(3), metrics=("fd", "prdc"))
        fakes = open_source(stored, resolution=16)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # so few
            evaluation = evaluator(FixedImages(fakes), 12)
        found.append(({name: score.value for name, score in evaluation.scores.items()}, evaluation.held_out))
    assert found[0] == found[1]
    assert found[0][1] is not None
    with pytest.warns(match="cas: left out, as it trains on all images at once, .*--data.pipeline resident"):
        ImageEvaluator(source, network=random_cnn(3), metrics=("prdc", "cas"))(FixedImages(fakes), 12)


@pytest.mark.parametrize("stored", ["folder"], indirect=True)
def test_each_host_reads_its_own_rows_which_form_the_batch(stored, monkeypatch):
    opened = open_source(stored, pipeline="stream")

    def first_steps(own):
        read, source = [], copy.copy(opened)  # threads of an earlier pipeline may still be reading ahead

        def noted(indices):
            read.append(tuple(indices.tolist()))
            return opened.take(indices)

        object.__setattr__(source, "take", noted)
        monkeypatch.setattr(pipeline_module, "own_rows", lambda n, mesh: own)
        inputs = make_pipeline(source, batch_size=6, seed=1, pipeline="stream").inputs(0)
        return [np.asarray(next(inputs)["image"]) for _ in range(4)], set(read)

    whole, all_rows = first_steps(slice(0, 6))
    parts = []
    for own in (slice(0, 2), slice(2, 6)):
        part, own_rows = first_steps(own)
        parts.append(part)
        assert {len(rows) for rows in own_rows} == {own.stop - own.start}
        assert len(own_rows & {rows[own] for rows in all_rows}) >= 4
    for step, batch in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[step] for part in parts]), batch)


def test_broken_images_are_left_out_as_they_are_of_resident_data(tmp_path, cache):
    root = write_folder(tmp_path / "images", 8)
    (root / "cat" / "a.png").write_bytes(png(noise(1))[:60])
    with pytest.raises(InputError, match=r"broken image '.*cat/a.png' .*--data.skip-broken"):
        open_source(str(root), pipeline="stream")
    a, b = (open_source(str(root), skip_broken=True, pipeline=kind) for kind in ("resident", "stream"))
    assert (a.fingerprint, a.skipped, a.n) == (b.fingerprint, 1, 8)
    np.testing.assert_array_equal(a.images, b.images)


@pytest.mark.parametrize("what", ["gone", "cut", "another"])
@pytest.mark.parametrize("stored", ["folder", "tar"], indirect=True)
def test_what_changes_while_it_is_streamed_is_named(stored, what, tmp_path):
    source = open_source(stored, pipeline="stream")
    path = tmp_path / ("images/dog/007.png" if stored.startswith("folder") else "shard-001.tar")
    content = path.read_bytes()
    if what == "gone":
        path.unlink()
    elif what == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif stored.startswith("folder"):
        path.write_bytes(png(noise(100)))
    else:
        path.write_bytes(content.replace(png(noise(7)), png(noise(3))))
    wrong = "has changed since" if what == "another" else "cannot read image"
    with pytest.raises(InputError, match=rf"data.source: .*{path.name}.*") as error:
        next(make_pipeline(source, batch_size=N, pipeline="stream").inputs(0))
    assert wrong in str(error.value)


def test_memory_does_not_grow_with_the_data(tmp_path, cache, monkeypatch):
    """Of opening, and of an epoch of batches."""
    monkeypatch.setattr(passes, "AT_A_TIME", 8)
    monkeypatch.setattr(pipeline_module, "AHEAD", 1)
    flat = lambda seed: np.full((64, 64, 3), seed % 256, np.uint8)

    def peak(n):
        root = write_folder(tmp_path / f"{n}", n, flat)
        tracemalloc.start()
        try:
            source = open_source(str(root), hold_out=0.1, pipeline="stream")
            inputs = make_pipeline(source, batch_size=4, pipeline="stream").inputs(0)
            for _ in range(n // 4):
                next(inputs)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(8)  # what is imported, once
    small, large = peak(30), min(peak(240), peak(244))  # something else in the process may take memory once
    assert large - small < 210 * 64 * 64 * 3 / 4


@pytest.mark.parametrize("stored", ["folder", "tfds"], indirect=True)
def test_large_data_are_streamed_by_themselves(stored, monkeypatch):
    assert not rows.encoded(open_source(stored, resolution=6).images)
    monkeypatch.setattr(choice, "RESIDENT_LIMIT", N * 6 * 6 * 3 - 1)
    source = open_source(stored, resolution=6)
    assert rows.encoded(source.images)
    assert isinstance(make_pipeline(source, batch_size=4), pipeline_module.Stream)
    part = open_source(stored, resolution=6, share=0.5)  # which fits
    assert isinstance(make_pipeline(part, batch_size=4), pipeline_module.Resident)


# --- what is done once ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["resident", "stream"])
def test_files_are_hashed_once_and_again_when_one_changes(tmp_path, cache, monkeypatch, kind):
    root, hashed, content = write_folder(tmp_path / "images", 4), [], Listing.hashed
    monkeypatch.setattr(Listing, "hashed", lambda self, names: (hashed.append(1), content(self, names))[1])
    first = open_source(str(root), pipeline=kind)
    open_source(str(root), pipeline=kind)
    assert len(hashed) == 2  # of files that are so new a change might not show
    monkeypatch.setattr(stamps, "SETTLED", -(10**12))
    found = {open_source(str(root), pipeline=kind).fingerprint for _ in range(3)}
    assert (len(hashed), found) == (3, {first.fingerprint})
    (root / "cat" / "000.png").write_bytes(png(noise(50)))
    assert open_source(str(root), pipeline=kind).fingerprint != first.fingerprint
    assert len(hashed) == 4


def test_what_could_not_be_read_once_is_tried_again(tmp_path, cache, monkeypatch):
    """As where too many files were open: a part that was left out would be so for good."""
    monkeypatch.setattr(stamps, "SETTLED", -(10**12))
    root, content = write_folder(tmp_path / "images", 4), pathlib.Path.read_bytes

    def refused(path):
        if path.name == "002.png":
            raise OSError(24, "Too many open files")
        return content(path)

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "read_bytes", refused)
        assert open_source(str(root), skip_broken=True).skipped == 1
    assert open_source(str(root), skip_broken=True).skipped == 0


def test_files_are_read_once_to_be_decoded_whatever_their_colours(tmp_path, cache, monkeypatch):
    root = write_folder(tmp_path / "images", 6, lambda seed: noise(seed)[:, :, 0])
    read, opened = [], folder_module.open_image
    monkeypatch.setattr(folder_module, "open_image", lambda x: (read.append(x), opened(x))[1])
    assert open_source(str(root)).shape == (9, 12, 1)
    assert len(read) == len(set(read)) == 6
    (root / "dog" / "005.png").write_bytes(png(noise(5)))
    assert open_source(str(root)).shape == (9, 12, 3)  # one of colour is enough


@pytest.mark.parametrize("stored", ["tfds"], indirect=True)
def test_tfds_is_decoded_by_the_threads_of_all_cores(stored, monkeypatch):
    names, turned = set(), catalogue.to_pixels

    def noted(*args):
        names.add(threading.current_thread().name)
        return turned(*args)

    monkeypatch.setattr(catalogue, "to_pixels", noted)
    open_source(stored, pipeline="resident")
    assert names
    assert all(name.startswith("decode") for name in names)


@pytest.mark.parametrize("stored", ["tfds"], indirect=True)
def test_tfds_is_imported_where_its_filters_of_warnings_do_not_stay(stored, monkeypatch):
    open_source(stored, pipeline="stream")
    imported, inside = catalogue.imported_tfds, []
    monkeypatch.setattr(
        catalogue, "imported_tfds", lambda: (inside.append(threading.current_thread()), imported())[1]
    )
    open_source(stored, pipeline="stream").images[:4]
    assert inside == [threading.main_thread()]


def test_a_damaged_entry_is_decoded_again_by_one_of_those_who_find_it(tmp_path, cache, monkeypatch):
    """Threads stand for processes: a lock is of an open file."""
    root = write_folder(tmp_path / "images", 4)
    open_source(str(root))
    (entry,) = (cache / "data").iterdir()
    (entry / "meta.json").write_text("{")
    decoded, passed, found = [], folder_module.gone_through, []
    monkeypatch.setattr(
        folder_module, "gone_through", lambda *args, **kw: (decoded.append(1), passed(*args, **kw))[1]
    )
    threads = [threading.Thread(target=lambda: found.append(open_source(str(root)).n)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, len(decoded)) == ([4] * 4, 1)
    assert {path.name for path in (cache / "data").iterdir()} == {entry.name}
