"""What every room uses: errors, files, keys, numerics, devices, statistics."""
