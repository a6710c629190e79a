"""Replicas and waits by policy, simulated: `python -m benchmarks.simulation`, or `make simulate`.

The same recordings meet our policy and Serve's own at many targets, with the same replicas: the
sleeping engine's costs, its fair queue, and a cold start. Serve's best is the setting of those that
let nobody wait longer than ours (95th percentile) which needs least. With several seeds, how much
the result depends on the day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any

import typer

from benchmarks.measuring import results
from benchmarks.measuring.figures import median
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
HEADS = ("wait p50, s", "wait p95, s", "replica-hours", "most", "changes")

Compared = dict[str, dict[str, Any]]
"""By policy, what `HEADS` name; of ours also what is `saved` beside Serve's best."""


def main(
    wait: Annotated[float, typer.Option(help="Wanted wait, in seconds.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the recordings.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, help="So many, from that one on.")] = 1,
    only: Annotated[str, typer.Option(help="day or surge.")] = "",
    real: Annotated[bool, typer.Option(help="Two bursts on a graph, instead.")] = False,
) -> None:
    """Compare replica-hours at equal waits."""
    if real:
        typer.echo(f"Written to {results.write('bursts', {'rows': bursts()})}")
        return
    settings = AutoscalingSettings()
    wait_s = wait or settings.wanted_wait_s
    found: dict[str, Any] = {}
    for each in range(seed, seed + seeds):
        for scenario in scenarios(each):
            if only in ("", scenario.name):
                compared = _compare(scenario, wait_s, settings.bulk_wait_s)
                found.setdefault(scenario.name, {})[each] = compared
    if seeds > 1:
        for name, by_seed in found.items():
            _spread(name, list(by_seed.values()))
    typer.echo(f"Written to {results.write('simulation', found)}")


def _compare(scenario: Scenario, wait_s: float, bulk_wait_s: float) -> Compared:
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
    found: Compared = {}
    for policy, outcome in zip(policies, outcomes, strict=True):
        figures = outcome.wait(0.5), outcome.wait(0.95), outcome.replica_s / HOUR
        rounded = (round(figure, 1) for figure in figures)
        found[policy.name] = dict(
            zip(HEADS, (*rounded, outcome.most, outcome.changes), strict=True)
        )
    rows: list[list[Cell]] = [[name, *figures.values()] for name, figures in found.items()]
    typer.echo(table(["policy", *HEADS], rows))
    for policy, outcome in zip(policies[:mine], outcomes[:mine], strict=True):
        saved, said = _beside(outcome, policies[mine:], outcomes[mine:])
        found[policy.name]["saved"] = saved
        typer.echo(f"{policy.name}: {said}")
    allowed = wait_s + scenario.costs.cold_start
    typer.echo(f"Wanted: p95 of at most {allowed:.0f} s, a wanted wait and a cold start")
    return found


def _spread(name: str, by_seed: Sequence[Compared]) -> None:
    """Of our policies: the median over the seeds, and the least and most."""

    def of(policy: str, figure: str, unit: str = "") -> str:
        found = [each[policy][figure] for each in by_seed]
        known = sorted(one for one in found if one is not None)
        if not known:
            return "none as short"
        scale = 100 if unit else 1
        middle, least, most = (scale * x for x in (median(known), known[0], known[-1]))
        return f"{middle:.0f}{unit} ({least:.0f} to {most:.0f})"

    mine = [policy for policy, figures in by_seed[0].items() if "saved" in figures]
    typer.echo(f"{name}, {len(by_seed)} seeds: the median, the least and the most")
    rows: list[list[Cell]] = [
        [policy, of(policy, HEADS[1]), of(policy, HEADS[2]), of(policy, "saved", " %")]
        for policy in mine
    ]
    typer.echo(table(["policy", *HEADS[1:3], "below Serve's best"], rows))


def _beside(
    outcome: Outcome, policies: Sequence[Policy], others: Sequence[Outcome]
) -> tuple[float | None, str]:
    """The share of replica-hours that is saved, None where no other lets wait as little."""
    equal = [
        (other.replica_s, policy.name)
        for policy, other in zip(policies, others, strict=True)
        if other.wait(0.95) <= outcome.wait(0.95)
    ]
    if not equal:
        return None, "none of Serve's own has waits as short"
    least, name = min(equal)
    saved = 1 - outcome.replica_s / least
    return saved, f"{saved:.0%} below Serve's best at waits as short, {name}"


if __name__ == "__main__":
    typer.run(main)
