"""Anomalies: how unlike each image is to those that a run was trained on."""
