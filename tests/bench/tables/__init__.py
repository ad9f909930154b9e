"""ffspec's recipes beside other models of tables, on the same rows: `python -m tests.bench.tables`."""
