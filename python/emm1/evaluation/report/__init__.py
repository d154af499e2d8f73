"""What all reports share: their text, their page, their folder, and where their numbers come from."""
