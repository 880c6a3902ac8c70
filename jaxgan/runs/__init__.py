"""What a run leaves: its folder, checkpoints, samples, scores."""
