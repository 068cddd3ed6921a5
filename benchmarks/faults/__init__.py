"""Real processes under buyers, with things breaking, and the books compared afterwards: `make faults`.

`proxy` stands between the parts, `world` starts, kills and freezes them, `buyers` buy and write down every answer,
`strikes` are the faults, `verdict` compares what buyers were told with our books and the supplier's hidden truth.
"""
