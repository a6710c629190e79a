"""OpenAI's Realtime API, as far as it transcribes: /v1/realtime."""
