"""What other machines run: no logic of its own."""
