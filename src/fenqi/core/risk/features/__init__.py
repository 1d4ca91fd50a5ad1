"""Features: what an account's own facts come to, declared once in data.

`declaration` is what a feature is, `reading` reads a file of them, `trail` keeps an account's facts
for live decisions and computes a row of features, `columns` computes the same over a history.
"""
