"""Who runs: Rayscribe and its peers, each in processes of its own."""
