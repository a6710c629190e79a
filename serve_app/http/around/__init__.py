"""What stands around every request: keys, limits, ids, errors, and the pages about them."""
