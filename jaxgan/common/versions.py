"""Versions of packages as they are installed."""

from __future__ import annotations

import importlib.metadata


def version_of(package: str) -> str:
    """Installed version, or "missing"."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
