"""Where bytes lie: uploads and results, recordings wherever fsspec reaches, and room on disk."""
