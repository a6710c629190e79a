"""What Ray runs: audio loading, speech recognition and speaker diarization."""
