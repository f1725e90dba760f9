"""Looks at relevance during the backward pass: the ledger, layers, channels."""
