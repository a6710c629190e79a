"""OpenAI's audio API: transcriptions, translations, models."""
