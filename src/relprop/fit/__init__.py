"""`relprop fit`: trains and searches networks for a data set, within a budget."""
