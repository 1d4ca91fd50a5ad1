"""The nouns: plain values and pure functions.

No database, network, clock, environment, logging or unseeded randomness lives here, so the lab can
run exactly the production rules and a test can pass a year in a second.
"""
