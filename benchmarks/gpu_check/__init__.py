"""The check for a machine with a GPU and no network: `make gpu-check`, what `make gpu-bundle` packs."""
