"""What the benchmarks of reliability run: ffspec, and its peers."""
