"""`/v1/jobs`: work that outlives its request."""
