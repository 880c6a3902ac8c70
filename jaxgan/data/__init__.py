"""Data: named sources, and pipelines that turn them into batches as a function of the step."""

from jaxgan.data.cache import cache_dir
from jaxgan.data.modality import IMAGE, MODALITIES, POINT, Modality, from_float, modality_of, to_float
from jaxgan.data.pipeline import Pipeline, make_pipeline
from jaxgan.data.source import Arrays, Draws, Images, Source, as_images, describe, fingerprint
from jaxgan.data.sources import SOURCES, open_source, other_split
from jaxgan.data.spec import Spec
from jaxgan.data.toy import Points

__all__ = [
    "IMAGE",
    "MODALITIES",
    "POINT",
    "SOURCES",
    "Arrays",
    "Draws",
    "Images",
    "Modality",
    "Pipeline",
    "Points",
    "Source",
    "Spec",
    "as_images",
    "cache_dir",
    "describe",
    "fingerprint",
    "from_float",
    "make_pipeline",
    "modality_of",
    "open_source",
    "other_split",
    "to_float",
]
