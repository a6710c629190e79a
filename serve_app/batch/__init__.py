"""Bulk work without HTTP: many recordings in, tables of transcripts out. Knows no Ray."""
