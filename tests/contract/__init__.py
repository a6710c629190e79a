"""What clients rely on, checked against the HTTP app with fakes behind it."""
