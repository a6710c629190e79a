"""The rows, in SQLite or PostgreSQL: jobs, their windows and leases, the outbox of webhooks, voice
profiles."""
