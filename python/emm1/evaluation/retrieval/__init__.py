"""Retrieval: how high the right answers of each query rank among all rows of a gallery, exactly and with ties."""
