"""EShot: zero-shot classification between audio and point clouds."""
