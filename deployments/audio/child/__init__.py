"""FFmpeg in a process of its own that can do no harm, one a recording."""
