"""`/v1/speakers`: people who are known by their voices, for as long as their profile is kept."""
