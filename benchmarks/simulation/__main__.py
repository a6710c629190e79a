"""Replicas and waits by policy, simulated: `python -m benchmarks.simulation`, or `make simulate`.

The same recordings meet our policy and Serve's own at many targets, with the same replicas: the
sleeping engine's costs, its fair queue, and a cold start. Serve's best is the setting of those that
let nobody wait longer than ours (95th percentile) which needs least.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any

import typer

from benchmarks.measuring import results
from benchmarks.measuring.tables import Cell, table
from benchmarks.simulation.graph import Costs, Outcome, Simulation
from benchmarks.simulation.load import HOUR, Arrival, a_day, a_surge
from benchmarks.simulation.policies import Policy, ours, serves_own
from benchmarks.simulation.real import show as bursts
from configs.settings import AutoscalingSettings


@dataclass(frozen=True)
class Scenario:
    """Recordings until a time, on so many replicas at most, and what Serve's own policy is tried
    with: requests a replica, and delays before it takes one away."""

    name: str
    arrivals: Sequence[Arrival]
    until: float
    costs: Costs
    most: int
    targets: Sequence[float]
    delays: Sequence[float]


def scenarios(seed: int) -> tuple[Scenario, ...]:
    """The surge has a slower engine, so that it takes hundreds."""
    day = Costs(per_window=0.2, per_second=0.05, cold_start=60)
    slow = Costs(per_window=0.5, per_second=0.2, cold_start=60)
    return (
        Scenario(
            "day", a_day(seed), 24 * HOUR, day, 32, (8, 16, 24, 32, 48, 64, 96), (60, 300, 600)
        ),
        Scenario("surge", a_surge(seed), 2 * HOUR, slow, 512, (1, 2, 4), (60, 300)),
    )


UP_AFTER_S = 20


def main(
    wait: Annotated[float, typer.Option(help="Wanted wait, in seconds.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the recordings.")] = 1,
    only: Annotated[str, typer.Option(help="day or surge.")] = "",
    real: Annotated[bool, typer.Option(help="Two bursts on a graph, instead.")] = False,
) -> None:
    """Compare replica-hours at equal waits."""
    if real:
        typer.echo(f"Written to {results.write('bursts', {'rows': bursts()})}")
        return
    settings = AutoscalingSettings()
    wait_s = wait or settings.wanted_wait_s
    found = {
        each.name: _compare(each, wait_s, settings.bulk_wait_s)
        for each in scenarios(seed)
        if only in ("", each.name)
    }
    typer.echo(f"Written to {results.write('simulation', found)}")


def _compare(scenario: Scenario, wait_s: float, bulk_wait_s: float) -> dict[str, Any]:
    hours = sum(each.seconds for each in scenario.arrivals) / HOUR
    typer.echo(
        f"{scenario.name}: {len(scenario.arrivals)} recordings, {hours:.0f} h of audio, simulated"
    )
    bounds = {"min_replicas": 1, "max_replicas": scenario.most, "upscale_delay_s": UP_AFTER_S}
    policies = [ours(downscale_delay_s=down, **bounds) for down in scenario.delays]
    mine = len(policies)
    policies += [
        serves_own(target, downscale_delay_s=down, **bounds)
        for target, down in product(scenario.targets, scenario.delays)
    ]
    outcomes = [
        Simulation(policy, scenario.costs, wait_s=wait_s, bulk_wait_s=bulk_wait_s).run(
            scenario.arrivals, scenario.until
        )
        for policy in policies
    ]
    rows: list[list[Cell]] = [
        [
            policy.name,
            round(outcome.wait(0.5), 1),
            round(outcome.wait(0.95), 1),
            round(outcome.replica_s / HOUR, 1),
            outcome.most,
            outcome.changes,
        ]
        for policy, outcome in zip(policies, outcomes, strict=True)
    ]
    heads = ["policy", "wait p50, s", "wait p95, s", "replica-hours", "most", "changes"]
    typer.echo(table(heads, rows))
    for policy, outcome in zip(policies[:mine], outcomes[:mine], strict=True):
        typer.echo(f"{policy.name}: {_beside(outcome, policies[mine:], outcomes[mine:])}")
    allowed = wait_s + scenario.costs.cold_start
    typer.echo(f"Wanted: p95 of at most {allowed:.0f} s, a wanted wait and a cold start")
    return {str(row[0]): dict(zip(heads[1:], row[1:], strict=True)) for row in rows}


def _beside(outcome: Outcome, policies: Sequence[Policy], others: Sequence[Outcome]) -> str:
    equal = [
        (other.replica_s, policy.name)
        for policy, other in zip(policies, others, strict=True)
        if other.wait(0.95) <= outcome.wait(0.95)
    ]
    if not equal:
        return "none of Serve's own has waits as short"
    least, name = min(equal)
    return f"{1 - outcome.replica_s / least:.0%} below Serve's best at waits as short, {name}"


if __name__ == "__main__":
    typer.run(main)
