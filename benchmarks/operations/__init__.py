"""What an operator sees: metrics, and how long a start takes."""
