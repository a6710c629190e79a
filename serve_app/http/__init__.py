"""The HTTP app: two dialects, one service. Knows neither Ray nor torch."""
