"""The doors to the foreign systems, one each; adapters know nothing of each other or of the stages."""
