"""Every temper of the chaos supplier in every dialect, under buyers: does Holdfast keep its promises?

`make chaos` runs all pairs and writes the table into docs/reliability.md.  A pair is judged by the hidden
ledger beside ours; each is a few seconds of faults and then the time until both sides agree again.
"""
