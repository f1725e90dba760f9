<<<<<<< HEAD
"""Searches, trains and tests networks for a data set within a budget."""
=======
"""`relprop fit`: trains and searches networks for a data set, within a budget."""
>>>>>>> main
