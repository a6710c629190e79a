"""What FFmpeg makes of a file: its parts, its tracks, their frames, at 16 kHz."""
