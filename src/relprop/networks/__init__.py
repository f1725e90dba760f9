"""Networks that `relprop fit` chooses from: families by modality, with their search spaces."""
