"""`python -m serve_app` is `rayscribe`."""

from serve_app.cli import main

main()
