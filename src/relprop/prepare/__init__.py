"""Data as tensors that networks take: fitted on the training part, stored with the network."""
