"""Property tests: what must hold whatever the input."""
