"""What Ray runs: audio loading, speech recognition and speaker diarization."""

from interchange.unreported import report_nothing

report_nothing()
