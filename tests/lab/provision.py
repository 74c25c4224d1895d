"""What makes each host what it is."""
from __future__ import annotations
from pathlib import Path
from tests.lab.hosts import Host
def keys(): return None
def filler(host: Host, keys): return lambda upper: None
def binds(host): return []
def finish(): pass
