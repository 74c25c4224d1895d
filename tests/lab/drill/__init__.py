"""The proofs of the article's claims, run in the lab: each measures, and says whether what it measured is what was claimed."""
