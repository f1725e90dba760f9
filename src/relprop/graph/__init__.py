"""A model as data: its operations as records, what is known of them, and what follows from it.

ir          nodes and graphs; a graph runs itself
inputs      the arguments that a model is called with
ops         the operations that relprop knows; how to add one
analysis    what is known of a graph's values before it runs, with scales: gates and statistics
prune       the graph at the positions that its output depends on, with prune_rules
token_ids   where the relevance of an embedding goes
serialize   a graph as JSON
"""
