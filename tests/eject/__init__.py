"""Ejected scripts, run where there is no ffspec, and held against the runs they were written from."""
