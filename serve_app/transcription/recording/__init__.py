"""What becomes of one recording on its way, apart from the flow itself."""
