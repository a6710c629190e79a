"""What every request passes: its key, its bounds, its place."""
