"""Services, clusters and servers that tests start."""
