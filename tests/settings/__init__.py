"""Settings: what is accepted, what is refused and in which words, and what becomes of it."""
