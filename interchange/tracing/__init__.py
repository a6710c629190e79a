"""What the time of one recording went into, for whoever collects traces."""
