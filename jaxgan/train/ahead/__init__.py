"""A step compiled ahead of time for machines that are not here, and what it would cost there."""
