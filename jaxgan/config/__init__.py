"""Configurations of runs: groups of settings, what they build, their JSON form, presets."""
