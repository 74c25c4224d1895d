"""The article's whole stack as hosts of their own on one machine; `script/lab --help` and docs/lab.md tell how to use it."""
