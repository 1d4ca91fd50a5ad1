"""Risk: facts become features, features a score, a policy turns them into an explained decision.

Everything a decision looks at is an integer or unknown, so that it is computed again bit for bit on
any machine. Rules and features are data; this room gives them their meaning, once.
"""
