"""The typed settings, and the YAML profiles that fill them."""
