"""One suite for each port, over every implementation: what the layers above may rely on."""
