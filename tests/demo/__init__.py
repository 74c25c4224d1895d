"""The demo's parts; tests/e2e/test_demo.py plays the whole."""
