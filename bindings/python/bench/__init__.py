"""Python clients beside each other; `make bench-python` runs it."""
