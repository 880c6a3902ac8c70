"""Archives and folders of strangers: what fills the memory, and what leads out."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.config import Config, DataConfig
from jaxgan.config.data import open_data
from jaxgan.data import open_source
from jaxgan.data.files import listing
from jaxgan.data.files.outline import outline


def picture(value=0):
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def archive(path, content, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("good.png", picture(), zipfile.ZIP_DEFLATED)
        file.writestr("bad.png", content)
    return path


def peak(path):
    tracemalloc.start()
    try:
        source = open_source(f"folder:{path}", skip_broken=True)
        found = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (source.n, source.skipped) == (1, 1)
    return found


def test_large_files_of_an_archive_are_not_unpacked(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(listing, "LARGEST", 10_000)
    path = archive(tmp_path / "a.zip", bytes(20_000_000))
    assert path.stat().st_size < 30_000
    assert peak(path) < 3_000_000
    with pytest.raises(
        InputError, match=r"broken image '.*bad.png' \(20,000,000 bytes are more than 10,000\)"
    ):
        open_source(f"folder:{path}")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archives_that_lie_about_sizes_are_unpacked_no_further(tmp_path, cache, method):
    path, true = archive(tmp_path / "a.zip", bytes(20_000_000), method), struct.pack("<L", 20_000_000)
    content = path.read_bytes()
    assert content.count(true) == 2  # before the file, and at the end
    path.write_bytes(content.replace(true, struct.pack("<L", 1000)))
    assert peak(path) < 5_000_000
    outline(f"folder:{path}", resolution=4, channels=1)


def test_large_files_of_a_folder_are_not_read(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(listing, "LARGEST_FILE", 10_000)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "good.png").write_bytes(picture())
    with (tmp_path / "photos" / "bad.png").open("wb") as file:
        file.truncate(20_000_000)
    assert peak(tmp_path / "photos") < 3_000_000


# --- links ------------------------------------------------------------------------------------------


@pytest.fixture
def linked(tmp_path, cache):
    """A folder of which a link leads to a picture elsewhere."""
    root = tmp_path / "photos"
    root.mkdir()
    (root / "a.png").write_bytes(picture(1))
    (root / "b.png").symlink_to("a.png")
    (tmp_path / "private.png").write_bytes(picture(2))
    (root / "c.png").symlink_to(tmp_path / "private.png")
    return root


def test_links_out_of_a_folder_are_followed_only_if_asked_for(linked, capsys, tmp_path):
    says = r"expected links that stay in '.*photos', got 'c.png', leading out; if that is meant: --data.follow-links"
    with pytest.raises(InputError, match=says):
        open_source(f"folder:{linked}")
    assert open_source(f"folder:{linked}", follow_links=True).n == 3
    config = Config(data=DataConfig(f"folder:{linked}", hold_out=0.0, follow_links=True))
    assert open_data(config).n == 3
    out = str(tmp_path / "x.png")
    assert main(["data", "show", str(linked), "--out", out]) == 2
    assert "if that is meant: --follow-links\n" in capsys.readouterr().err
    assert main(["data", "show", str(linked), "--out", out, "--follow-links"]) == 0
    assert outline(f"folder:{linked}", resolution=4, channels=1) is None
    told = outline(f"folder:{linked}", resolution=4, channels=1, follow_links=True)
    assert told is not None
    assert told.n == 3


def test_folders_are_links_too(linked, tmp_path):
    (linked / "c.png").unlink()
    assert open_source(f"folder:{linked}").n == 2  # b.png leads to its neighbour
    (tmp_path / "alias").symlink_to(linked)
    assert open_source(f"folder:{tmp_path / 'alias'}").n == 2  # the folder itself was asked for
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "d.png").write_bytes(picture(3))
    (linked / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="got 'more', leading out"):
        open_source(f"folder:{linked}")
    assert open_source(f"folder:{linked}", follow_links=True).n == 3
