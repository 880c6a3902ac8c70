"""Whether data are kept decoded, or streamed."""

from __future__ import annotations

from jaxgan.common.errors import InputError

PIPELINES = ("auto", "resident", "stream")
RESIDENT_LIMIT = 2 * 2**30  # bytes of decoded examples that are kept on the device by default


def streams(pipeline: str, nbytes: int) -> bool:
    """Whether data that take so many bytes, decoded, are streamed; by "auto" those beyond RESIDENT_LIMIT are.

    It depends on nothing else, such as free memory, so that all processes of a run decide alike.

    Raises:
      InputError: for another pipeline than "auto", "resident" and "stream".
    """
    check_pipeline(pipeline)
    return pipeline == "stream" or (pipeline == "auto" and nbytes > RESIDENT_LIMIT)


def check_pipeline(pipeline: str) -> None:
    """Raises InputError for another pipeline than "auto", "resident" and "stream"."""
    if pipeline not in PIPELINES:
        raise InputError(f"data.pipeline: expected 'auto', 'resident' or 'stream', got {pipeline!r}")
