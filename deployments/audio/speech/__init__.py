"""Where a recording holds speech, or may."""
