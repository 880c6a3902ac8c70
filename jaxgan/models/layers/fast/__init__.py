"""Convolutions in forms that are fast on a CPU, chosen by measurement: `forms`."""
