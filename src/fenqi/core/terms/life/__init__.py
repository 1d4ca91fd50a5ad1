"""The life of a plan: what was agreed and what happened, replayed into what is owed.

`rules` says what a product may ask for, `operations` what can happen, `state` what comes of it,
`replay` orders and `walk` dispatches; every other file is one rule.
"""
