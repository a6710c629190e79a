"""How far one graph goes: `python -m benchmarks.operations.scale`.

Recognizers that sleep take nothing of the processor, so a machine holds many of them, and what is
seen is all that stands around them: how busy the graph keeps them, what a window costs each kind of
process, and what a graph at rest costs.
"""

import math
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from benchmarks.measuring import results
from benchmarks.measuring.memory import of_tree
from benchmarks.measuring.processor import KINDS, RAY, per, processor_seconds
from benchmarks.measuring.recordings import repeated
from benchmarks.measuring.tables import Cell, table
from benchmarks.systems.graph_client import PROFILE, GraphClient, running_graph
from tests.support.recordings.speech import SAMPLE

IN_FLIGHT = 32
"""Windows of a recording in recognition at once."""
_AHEAD = 3
"""As many windows as this for each recognizer are on their way at once."""
_EACH = 20
"""Windows that each recognizer gets."""
_REST_S = 15.0
_START_S = 900.0


def main(
    recognizers: Annotated[str, typer.Option(help="How many, one graph each.")] = "8,32,96",
    sleep: Annotated[float, typer.Option(help="Seconds that a window takes.")] = 4.0,
    window: Annotated[float, typer.Option(help="Seconds of audio in a window at most.")] = 10.0,
    ingresses: Annotated[int, typer.Option(help="Replicas of the ingress.")] = 1,
    loaders: Annotated[int, typer.Option(help="Replicas of the loader.")] = 1,
) -> None:
    """Show efficiency, and the seconds of the processor that a window costs."""
    found = []
    with tempfile.TemporaryDirectory(prefix="rayscribe-scale-") as folder:
        recording = repeated(SAMPLE, 60, Path(folder) / "long.mkv")
        for count in map(int, recognizers.split(",")):
            counts = {"SpeechRecognizer": count, "Ingress": ingresses, "AudioLoader": loaders}
            with _graph(Path(folder), counts, sleep, window) as graph:
                found.append({"recognizers": count, **_measured(graph, recording, count, sleep)})
            typer.echo(f"{count} recognizers: {found[-1]['efficiency']:.0%} busy")
    head = ["", *(f"{each['recognizers']} recognizers" for each in found)]
    typer.echo(table(head, list(_rows(found))))
    typer.echo(f"Written to {results.write('scale', {'runs': found})}")


def _rows(found: list[dict[str, Any]]) -> Iterator[list[Cell]]:
    for name, digits in (
        ("windows", 0),
        ("wall, s", 1),
        ("ideal, s", 1),
        ("windows a second", 1),
        ("memory, GB", 2),
    ):
        yield [name, *(round(each[name], digits) for each in found)]
    yield ["recognizers busy", *(f"{each['efficiency']:.0%}" for each in found)]
    for kind in (*KINDS, RAY):
        yield [
            f"{kind}: ms a window",
            *(round(1e3 * each["window"].get(kind, 0), 1) for each in found),
        ]
    yield [
        "at rest, share of a core",
        *(f"{sum(each['rest'].values()):.0%}" for each in found),
    ]


def _measured(graph: GraphClient, recording: Path, count: int, sleep: float) -> dict[str, Any]:
    at_once = math.ceil(_AHEAD * count / IN_FLIGHT)
    with ThreadPoolExecutor(at_once) as pool:
        graph.transcribe(SAMPLE, language="en")
        before = processor_seconds(graph.service.process.pid)
        time.sleep(_REST_S)
        rest = per(_REST_S, before, processor_seconds(graph.service.process.pid))

        before, began = processor_seconds(graph.service.process.pid), time.monotonic()
        windows, sent = 0, 0
        while windows < _EACH * count:  # rounds, of which few are more than one
            answers = pool.map(lambda _: graph.transcribe(recording, language="en"), range(at_once))
            windows += sum(len(answer["segments"]) for answer in answers)
            sent += at_once
        wall = time.monotonic() - began
        window = per(windows, before, processor_seconds(graph.service.process.pid))
    ideal = windows * sleep / count
    return {
        "recordings": sent,
        "windows": windows,
        "wall, s": wall,
        "ideal, s": ideal,
        "efficiency": ideal / wall,
        "windows a second": windows / wall,
        "window": window,
        "rest": rest,
        "memory, GB": of_tree(graph.service.process.pid) / 1e9,
    }


@contextmanager
def _graph(
    folder: Path, counts: dict[str, int], sleep: float, window: float
) -> Iterator[GraphClient]:
    """The laptop's profile with so many replicas, and without a diarizer."""
    missing = folder / "missing"
    missing.mkdir(exist_ok=True)
    (missing / "pandas.py").write_text("raise ImportError")
    profile = yaml.safe_load(Path(PROFILE).read_text(encoding="utf-8"))
    application = profile["applications"][0]
    application["args"].update(windows_in_flight=IN_FLIGHT)
    for deployment in application["deployments"]:
        deployment["ray_actor_options"]["num_cpus"] = 0  # all find a place on any machine
        if (count := counts.get(deployment["name"])) is not None:
            deployment["num_replicas"] = count
        if deployment["name"] == "SpeechRecognizer":
            # Serve goes without pandas where there is none: a third of such a replica's memory.
            options = deployment["ray_actor_options"]
            options["runtime_env"] = {"env_vars": {"PYTHONPATH": str(missing)}}
        if deployment["name"] == "SpeakerDiarizer":
            del deployment["num_replicas"]
            deployment["autoscaling_config"] = {"min_replicas": 0, "max_replicas": 1}
    path = folder / "profile.yaml"
    path.write_text(yaml.safe_dump(profile), encoding="utf-8")
    env = {
        "RAYSCRIBE_RECOGNITION__MODEL": f"sleeping:{sleep}",
        "RAYSCRIBE_AUDIO__WINDOW_S": str(window),
        "RAYSCRIBE_ADMISSION__ALWAYS_S": "1000000",
    }
    with running_graph(path, env, start_s=_START_S) as graph:
        yield graph


if __name__ == "__main__":
    typer.run(main)
