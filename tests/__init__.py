"""The tests; see test_architecture.py for the rules about the code itself."""
