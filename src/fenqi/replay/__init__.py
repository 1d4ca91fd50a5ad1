"""The replay room: a stream of outside facts, driven through the desk with a moving clock.

`source` turns a file into facts and `population` invents them; `behaviour` draws the payments that
no file has. Nothing here reads the machine's clock, and all chance comes from a seed.
"""
