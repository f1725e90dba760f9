"""What every part may use: files, extras, progress, arithmetic. Knows nothing of models."""
