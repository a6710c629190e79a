"""People whom the service knows by their voices."""
