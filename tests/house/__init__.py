"""The house around the code: the layers, the documents that name parts of it, the packaging, the scripts."""
