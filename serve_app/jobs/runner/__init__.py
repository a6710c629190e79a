"""What works on jobs: the runner under its leases, the sender of webhooks, the cleaner."""
