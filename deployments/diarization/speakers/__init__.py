"""Whose voice is whose: from embeddings to speakers."""
