"""`python -m serve_app.client` is `rayscribe`."""

from serve_app.client.commands import main

main()
