"""The verbs: one file per thing that happens to a customer, a plan or a book.

A flow takes a batch of its command (one request is a batch of one): it locks, reads, asks the core,
writes and commits once. A flow never calls another flow.
"""
