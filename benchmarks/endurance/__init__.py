"""What survives kills, hours and a million files."""
