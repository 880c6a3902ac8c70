"""Images from a folder, a zip archive, or an npz file."""

from jaxgan.data.files.folder import load_folder
from jaxgan.data.files.npz import load_npz
from jaxgan.data.files.outline import black, outline

__all__ = ["black", "load_folder", "load_npz", "outline"]
