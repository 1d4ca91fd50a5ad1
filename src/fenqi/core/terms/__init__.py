"""The contract: products, schedules, cost rates, and the replay of a plan's operations.

Everything here is a pure function of values. The scalar rule is the reference; array twins live in
`batch` and equal it to the minor unit.
"""
