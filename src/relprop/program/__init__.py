"""From a plan to something that runs: a forward pass, then a backward pass of relevance."""
