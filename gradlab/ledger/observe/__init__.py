"""How the ledger sees what a loop does: one file for each kind of event, and what they share.

`patches` stands before torch's functions while anyone records, `watch` knows the gradients, `recorder` writes events.
"""
