"""What every dialect takes in: the form and its recording, the options that all have."""
