"""Work that outlives its request: rows under leases, never memory alone. Knows no Ray."""
