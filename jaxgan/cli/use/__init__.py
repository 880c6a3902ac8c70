"""Verbs that use a trained run, one a file."""
