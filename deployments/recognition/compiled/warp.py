"""Dynamic time warping: the cheapest monotonic path through a picture."""

from typing import Any

from deployments.compiled.scalars import compiled_for_infinities


@compiled_for_infinities
def warp(cost: Any, total: Any, starts: Any) -> None:
    """The first column of each row on the cheapest path from corner to corner.

    `cost` (rows, columns) and `total`, of the same shape and overwritten, are float64; `starts`
    (rows,) int64 is written to. Of equally cheap ways the path takes the one to the left.
    """
    rows, columns = cost.shape
    total[0, 0] = cost[0, 0]
    for j in range(1, columns):
        total[0, j] = total[0, j - 1] + cost[0, j]
    for i in range(1, rows):
        total[i, 0] = total[i - 1, 0] + cost[i, 0]
        for j in range(1, columns):
            least = min(total[i - 1, j], total[i - 1, j - 1], total[i, j - 1])
            total[i, j] = cost[i, j] + least
    column = columns - 1
    starts[0] = 0
    for i in range(rows - 1, 0, -1):
        while column > 0:
            above = total[i - 1, column]
            if total[i, column - 1] > min(above, total[i - 1, column - 1]):
                break
            column -= 1
        starts[i] = column
        if column > 0 and total[i - 1, column - 1] <= total[i - 1, column]:
            column -= 1
