"""A model as data: its operations as records, what is known of them, and what follows from it."""
