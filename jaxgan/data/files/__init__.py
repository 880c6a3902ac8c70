"""Images from a folder, a zip archive, shards, or an npz file."""

from jaxgan.data.files.folder import load_folder
from jaxgan.data.files.npz import load_npz
from jaxgan.data.files.outline import black, outline
from jaxgan.data.files.tar import holds_shards, load_tar

__all__ = ["black", "holds_shards", "load_folder", "load_npz", "load_tar", "outline"]
