"""From settings to ports, and from one reload to the next."""
