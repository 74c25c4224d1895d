"""The daemon as a whole, on the memory adapters."""
