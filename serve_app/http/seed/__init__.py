"""The dialect of insanely-fast-whisper-api: `POST /` and its tasks."""
