"""Runs that turn images into others: whole examples of their data, and images of any size."""
