"""Readers of data, one for each kind of source: each takes a path and gives what it found."""
