"""The outside: each channel speaks one stranger's wire format behind a protocol of `core/ports`.

A channel knows no other one and no database. What it talks through, and how it tells time, is
handed in. `sandbox` has the strangers themselves, on this machine.
"""
