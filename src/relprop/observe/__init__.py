"""Observers of the backward pass: the ledger, relevance at layers, conditions on channels."""
