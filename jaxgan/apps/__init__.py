"""What trained networks are used for: restoring, finding anomalies, projecting, editing and dissecting images."""
