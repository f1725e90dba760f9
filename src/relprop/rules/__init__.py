"""The rules of Layer-wise Relevance Propagation as formulas, and the arithmetic that runs them."""
