"""What a critic sees of examples."""
