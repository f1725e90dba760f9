"""What `relprop fit` writes: a trained model with all that is known of it, in one folder."""
