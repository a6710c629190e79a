"""What clients see, and what happens to a recording on its way through the graph."""

__version__ = "0.1.0"
