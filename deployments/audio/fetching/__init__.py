"""Recordings that come by their address, and who may decode them when."""
