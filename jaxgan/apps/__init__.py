"""What trained networks are used for: projecting, editing and dissecting images."""
