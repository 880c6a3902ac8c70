"""Training: one loop, its set-up, resuming, progress."""
