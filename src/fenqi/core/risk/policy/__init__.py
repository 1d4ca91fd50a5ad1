"""The policy language: rules and tables as data, decided one row or many columns at a time.

`read` checks a text; `compile_row` and `compile_columns` give it one meaning twice; `check` says
what is unwise in it; `trace` tells every part of one decision; `turned` what would change it.
"""
