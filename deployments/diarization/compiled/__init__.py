"""The networks' loops in 16-bit integers, for CPUs that multiply these fastest."""
