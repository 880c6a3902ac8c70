"""What checks of all kinds share: laws, what draws hang on, and rules of derivatives."""
