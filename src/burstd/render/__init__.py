"""Configuration files of the neighbours, as text: pure, nothing is written here."""
