"""Measurements: one command each, side by side with peers."""
