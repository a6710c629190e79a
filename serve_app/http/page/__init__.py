"""`GET /`: the page for people, and the files it is made of."""
