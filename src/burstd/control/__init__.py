"""What operators and scrapers see of a running daemon, and the one way in which they reach its loop."""
