"""Data: named sources, and pipelines that turn them into batches as a function of the step."""

from jaxgan.data.cache import cache_dir
from jaxgan.data.pipeline import Pipeline, make_pipeline
from jaxgan.data.source import Images, Points, Source, fingerprint, to_float, to_uint8
from jaxgan.data.sources import SOURCES, open_source
from jaxgan.data.splits import other_split

__all__ = [
    "SOURCES",
    "Images",
    "Pipeline",
    "Points",
    "Source",
    "cache_dir",
    "fingerprint",
    "make_pipeline",
    "open_source",
    "other_split",
    "to_float",
    "to_uint8",
]
