"""Raw samples to tensors: preparations fitted on the training part, by modality."""
