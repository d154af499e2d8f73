"""Hard negatives for training: items that a model finds near a query and that do not belong to it."""
