"""Serving a running account: its statements, and how late it is."""
