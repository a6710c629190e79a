"""`rayscribe batch`: its options, and its workers on Ray. What they do is in `serve_app.batch`."""

from interchange.unreported import report_nothing

report_nothing()
