"""Persistence: typed models, query functions, sealed columns and migrations.

`select()` stands only in this package; nothing in it commits.
"""
