"""The check for a machine with a GPU and no network.

`make gpu-bundle` packs what it needs, `make gpu-check` runs it there.
"""
