"""The command line, and what it calls: a client of a running service."""
