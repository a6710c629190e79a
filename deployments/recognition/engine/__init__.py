"""Who goes when: windows are admitted, encoded, and decoded in one running batch."""
