"""Whisper itself: features, encoder, decoder over slots, rules, alignment."""
