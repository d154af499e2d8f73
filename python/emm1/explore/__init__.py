"""A local page to look at a store. `serve` runs its server; nothing here writes, and no SQL comes from a browser."""
