"""Scores as pure functions of features, images or points."""
