"""Networks that were trained before, and their weights: downloaded once, checked, converted."""
