"""`rayscribe jobs`, and what it calls: a client of work that outlives its request."""
