"""What runs: workloads a to e, and the graph with an engine that sleeps."""
