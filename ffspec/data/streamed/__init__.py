"""Rows that are streamed from a Parquet file: read anew in every pass, some at a time, and never all in memory."""
