"""From a data set to a trained, tested network, within a budget: `relprop fit`."""
