"""Clients as people install them, unchanged, against a running graph: `make clients`."""
