"""From windows and speaker turns to a transcript. Knows neither Ray nor torch."""
