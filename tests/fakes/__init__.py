"""Plain objects in the place of the graph's parts."""
