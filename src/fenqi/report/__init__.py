"""What the books say: figures, checks and exports, for people and for other programs."""
