"""Zero-shot classification: samples compared with one vector for each class; EShot is one case of it."""
