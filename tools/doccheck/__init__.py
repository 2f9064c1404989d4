"""The parts of check_docs.py: one module for each kind of check."""
