"""Prometheus beside a running graph: `python -m benchmarks.operations.observe`, or `make observe`.

It starts the graph and Prometheus with the rules of `configs/observe/`, sends recordings and jobs
for a while, and asks the query of each panel of the dashboard as Grafana would. What has no answer
is named; that is a fault of the panel unless nothing of the kind happened.
"""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
import yaml

from benchmarks.measuring.recordings import NoSpeech, clips
from benchmarks.measuring.tables import Cell, table
from benchmarks.systems.graph_client import GraphClient, running_graph
from tests.support.running.service import free_port

OBSERVE = Path(__file__).parents[2] / "configs" / "observe"
QUIET = {"Webhooks", "Live sessions", "Decoded again", "Refused for want of room"}
"""Panels of what this load may not bring about."""


def main(
    seconds: Annotated[float, typer.Option(help="How long the load lasts.")] = 60,
) -> None:
    """Show that each panel and rule is answered under load."""
    if shutil.which("prometheus") is None:
        typer.echo("There is no prometheus on the PATH; apt-get install prometheus.", err=True)
        raise typer.Exit(2)
    try:
        load = [clip.path for clip in clips(16)]
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    with running_graph() as graph, _prometheus(graph.service.metrics) as asked:
        sent = _send(graph, load, seconds)
        typer.echo(f"{sent} recordings were answered; Prometheus scrapes every two seconds")
        time.sleep(10)
        unanswered = _panels(asked)
        _rules(asked)
    if unanswered:
        typer.echo(f"Without an answer: {', '.join(sorted(unanswered))}", err=True)
        raise typer.Exit(1)


@contextmanager
def _prometheus(target: str) -> Iterator[httpx2.Client]:
    with tempfile.TemporaryDirectory(prefix="rayscribe-observe-") as name:
        folder = Path(name)
        config = yaml.safe_load((OBSERVE / "prometheus.yaml").read_text())
        config["global"] = {"scrape_interval": "2s", "evaluation_interval": "2s"}
        config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
        config["rule_files"] = [str(OBSERVE / "alerts.yaml")]
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        address = f"127.0.0.1:{free_port()}"
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with httpx2.Client(base_url=f"http://{address}/api/v1", timeout=30) as client:
                yield client
        finally:
            process.terminate()
            process.wait(30)


def _send(graph: GraphClient, load: list[Path], seconds: float) -> int:
    until, sent = time.monotonic() + seconds, 0
    with ThreadPoolExecutor(4) as pool:
        while time.monotonic() < until:
            sent += len(list(pool.map(lambda path: graph.upload(path, speakers="true"), load[:4])))
            with load[4].open("rb") as file:
                graph.http.post("/v1/jobs", files={"file": file}).raise_for_status()
            graph.http.get("/nothing/of/the/kind")
    return sent


def _panels(asked: httpx2.Client) -> set[str]:
    rows: list[list[Cell]] = []
    unanswered = set()
    for panel in json.loads((OBSERVE / "dashboard.json").read_text())["panels"]:
        for target in panel["targets"]:
            found = _query(asked, target["expr"])
            if not found and panel["title"] not in QUIET:
                unanswered.add(panel["title"])
            shown = ", ".join(
                f"{' '.join(each['metric'].values()) or 'all'} {float(each['value'][1]):.3g}"
                for each in found[:4]
            )
            rows.append([panel["title"], len(found), shown or "nothing"])
    print(table(["panel", "series", "the first of them, now"], rows))
    return unanswered


def _query(asked: httpx2.Client, expression: str) -> list[dict[str, Any]]:
    answer = asked.get("/query", params={"query": expression})
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return found


def _rules(asked: httpx2.Client) -> None:
    (group,) = asked.get("/rules").json()["data"]["groups"]
    rows: list[list[Cell]] = [[r["name"], r["health"], r["state"]] for r in group["rules"]]
    print(table(["rule", "evaluates", "state"], rows))


if __name__ == "__main__":
    typer.run(main)
