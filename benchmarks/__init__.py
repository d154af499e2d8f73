"""emm1 compared with its rivals."""
