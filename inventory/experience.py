"""What the ledger tells of a supplier's numbers: the promises and readings that buffers are learned from.

Note [Readings]
Two consecutive readings of a level are compared only where it is certain what of ours each includes: between instants
at which nothing was promised from it, less what settled in between.  An order that was refused took nothing; across
one that got lost later nothing is compared, for upstream may or may not have given its units back.  That a reading
changed nothing leaves no movement, so of a level that was quiet the whole snapshots that were asked for and ended in
that time are counted.  Numbers that a supplier declares instead of counting say nothing.

Note [Weights]
A buffer protects orders, but readings are taken of everything.  Pooled as they are, a thousand goods that nobody buys
and that are therefore never wrong would prove the few that sell to be right.  So each level's readings count as its
share of the orders has it: `ratio` readings an order, as many as nine tenths of the orders have, and none more than
once.  What had no order counts for nothing.
"""

from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from inventory.buffers import Comparison, Promise

# Two half-lives of what is learned: older evidence would weigh a quarter or less.
DAYS = 28
# Levels that are looked at one by one, those with the most refusals and orders; the others are pooled as they come.
ONE_BY_ONE = 5_000
FEW = 20  # orders; with fewer and no refusal there is nothing about a level alone to be found
OTHERS = ""  # the `sku` of what is pooled

# One scan of the supplier's part of the ledger; what comes back is tallies.
_MOVED = """
WITH levels AS MATERIALIZED (
    SELECT level.id, level.misses > 0 OR level.quarantined_at IS NOT NULL AS doubted,
           COALESCE(own.sentinel_at, supplier.sentinel_at, 2147483647) AS sentinel_at
    FROM inventory_stocklevel level JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id
    LEFT JOIN inventory_levelpolicy own ON own.level_id = level.id
    -- What was not ordered teaches nothing, and most of the ledger is readings of it.
    WHERE level.supplier_id = %(supplier)s AND level.id IN (
        SELECT level_id FROM inventory_stockmovement
        WHERE cause = 'allocate' AND at > now() - %(days)s * interval '1 day')
), moved AS MATERIALIZED (
    SELECT levels.*, movement.version, movement.at, movement.cause, movement.reference,
           movement.reported_after AS reported, movement.sellable_after AS sellable,
           movement.allocated_after AS allocated, movement.allocated_delta AS delta
    FROM inventory_stockmovement movement JOIN levels ON levels.id = movement.level_id
    WHERE movement.at > now() - %(days)s * interval '1 day'
), refused AS (
    SELECT id, reference, -sum(delta) AS units FROM moved WHERE cause = 'rejection' GROUP BY id, reference
), promises AS MATERIALIZED (
    SELECT moved.id, moved.at, GREATEST(0, moved.reported - moved.allocated) AS slack,
           LEAST(GREATEST(0, moved.reported - moved.sellable), %(at_most)s) AS buffer,
           COALESCE(refused.units, 0) AS refused
    FROM moved LEFT JOIN refused USING (id, reference)
    WHERE moved.cause = 'allocate' AND moved.reported < moved.sentinel_at AND (refused.units > 0 OR EXISTS (
        SELECT FROM inventory_allocation allocation
        WHERE allocation.reference = moved.reference AND allocation.level_id = moved.id
          AND allocation.state IN ('confirmed', 'settled')))
), ordered AS MATERIALIZED (
    SELECT id, count(*) AS orders, count(*) FILTER (WHERE refused > 0) AS refusals FROM promises GROUP BY id
), chosen AS MATERIALIZED (
    SELECT id FROM ordered WHERE refusals > 0 OR orders >= %(few)s ORDER BY refusals DESC, orders DESC LIMIT %(most)s
)
"""
_PROMISES = f"""
{_MOVED}
SELECT COALESCE(chosen.id::text, ''), min(at), slack, buffer, refused, count(*)
FROM promises LEFT JOIN chosen USING (id)
GROUP BY 1, date_trunc('day', at), slack, buffer, refused
"""
# A snapshot between two movements was asked for after the first and had ended before the second.
_COMPARISONS = f"""
{_MOVED}, times AS MATERIALIZED (
    SELECT COALESCE(array_agg(first_requested_at ORDER BY first_requested_at), '{{}}') AS asked,
           COALESCE(array_agg(finished_at ORDER BY finished_at), '{{}}') AS ended
    FROM inventory_snapshot
    WHERE supplier_id = %(supplier)s AND kind = 'full' AND status = 'applied'
      AND first_requested_at > now() - %(days)s * interval '1 day'
), summed AS (
    SELECT *, lead(at) OVER level AS until,
           sum(-delta) FILTER (WHERE cause = 'reading') OVER level AS ours,
           count(*) FILTER (WHERE cause IN ('loss', 'repair')) OVER level AS breaks
    FROM moved JOIN ordered USING (id) WINDOW level AS (PARTITION BY id ORDER BY version)
), certain AS (
    SELECT *, lag(reported) OVER level AS before, COALESCE(ours, 0) - COALESCE(lag(ours) OVER level, 0) AS settled,
           breaks = lag(breaks) OVER level AS unbroken
    FROM summed WHERE cause IN ('reading', 'policy') AND allocated = 0 AND reported < sentinel_at
    WINDOW level AS (PARTITION BY id ORDER BY version)
), compared AS MATERIALIZED (
    SELECT id, orders, at, GREATEST(0, before - reported - settled) AS overstated, 1 AS times
    FROM certain WHERE cause = 'reading' AND unbroken
    UNION ALL
    SELECT id, orders, at, 0, GREATEST(0, CASE WHEN until IS NULL THEN cardinality(ended)
                                               ELSE width_bucket(until, ended) END - width_bucket(at, asked))
    FROM certain, times WHERE cardinality(ended) > 0 AND NOT (until IS NULL AND doubted)
), level_shares AS (
    SELECT id, orders, sum(times)::float8 / orders AS ratio FROM compared WHERE times > 0 GROUP BY id, orders
), ranked AS (
    SELECT ratio, sum(orders) OVER (ORDER BY ratio, id) AS upto, sum(orders) OVER () AS whole FROM level_shares
), common AS MATERIALIZED (
    SELECT min(ratio) AS ratio FROM ranked WHERE upto >= 0.1 * whole
)
SELECT COALESCE(chosen.id::text, ''), min(at), overstated, sum(times),
       sum(times * LEAST(1, common.ratio / level_shares.ratio)) / sum(times)
FROM compared JOIN level_shares USING (id) CROSS JOIN common LEFT JOIN chosen USING (id)
WHERE times > 0
GROUP BY 1, date_trunc('day', at), overstated
"""


@dataclass(slots=True)
class Experience:
    """What one supplier's ledger shows.  Where a `sku` is named it is a level's id, or OTHERS."""

    now: datetime
    promises: list[Promise] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)


def of(supplier_id: int, *, at_most: int) -> Experience:
    """The supplier's last weeks.  at_most: units of the largest buffer, more than which was never withheld for one.

    Reads without locks.  Source: Note [Readings], Note [Weights].
    """
    parameters = {
        "supplier": supplier_id,
        "days": DAYS,
        "at_most": at_most,
        "few": FEW,
        "most": ONE_BY_ONE,
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found = Experience(cursor.fetchone()[0])
        cursor.execute(_PROMISES, parameters)
        found.promises = [
            Promise(at, sku, slack, buffer, int(refused), times)
            for sku, at, slack, buffer, refused, times in cursor.fetchall()
        ]
        cursor.execute(_COMPARISONS, parameters)
        found.comparisons = [
            Comparison(at, sku, int(overstated), int(times), weight)
            for sku, at, overstated, times, weight in cursor.fetchall()
        ]
    return found
