"""What is known of the items of rows beside their ids: captions, paths, decoded media, embeddings and hard negatives."""
