"""What the numbers of diarization were chosen by: one command a question."""
