"""From the published files to a store: find, read, check, and put in place when whole."""
