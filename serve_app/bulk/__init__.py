"""`rayscribe batch`: its options, and its workers on Ray. What they do is in `serve_app.batch`."""
