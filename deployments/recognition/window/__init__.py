"""What one window asks for on its way to a transcript. No torch: all of it runs without a model."""
