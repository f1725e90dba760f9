"""Channels without relevance removed, and layers described by their relevance."""
