"""Does the service hold against who means it ill? On loopback only, bounded, in minutes."""
