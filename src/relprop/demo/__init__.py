"""The demo: digits are classified, explained, and tested by removing their most relevant pixels."""
