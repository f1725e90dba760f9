"""The report of a bundle: what the data is, how good the model is, and what it looks at."""
