"""The tests, arranged as docs and design name the parts: decide, plan, contracts, adapters, stories, e2e, house."""
