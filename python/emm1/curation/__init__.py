"""What a store's items are good for: which of them a model may be trained with, and which test it."""
