"""One rule for each operation, decided and validated before anything runs."""
