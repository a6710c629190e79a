"""Recordings for tests: real ones, made ones, damaged ones."""
