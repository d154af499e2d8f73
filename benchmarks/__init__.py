"""emm1 beside its rivals."""
