"""The rows: jobs, their windows, their leases, the outbox of webhooks, in SQLite or PostgreSQL."""
