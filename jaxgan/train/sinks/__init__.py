"""What is told of a training as it goes on: the terminal, files, trackers."""
