"""The obvious design, as a baseline: a view that takes one lock and makes one transaction for each order."""
