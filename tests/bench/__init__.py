"""Benchmarks: commands of their own, outside the test run; each measures both sides in one go and prints a table."""
