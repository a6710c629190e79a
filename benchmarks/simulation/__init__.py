"""Replicas coming and going under a day of load, by a clock of its own and without Ray."""
