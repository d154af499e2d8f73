"""Saved reports on retrieval, EShot and zero-shot classification, to step through what was wrong."""
