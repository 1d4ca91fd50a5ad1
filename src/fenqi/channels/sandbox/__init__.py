"""The strangers on this machine: servers that speak their own wire formats.

They are written apart from the channels on purpose, so that a misreading of one is not repeated in
the other.
"""
