"""What keeps the house in order: layers, documentation, packaging."""
