"""How rows attend: to their own past, to their window, and to the silence behind it."""
