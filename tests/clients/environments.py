"""Where a client is installed: a virtual environment, or a folder of Node packages, of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CALLS = Path(__file__).parent / "calls"
FOLDER = ROOT / ".clients"


@dataclass(frozen=True, slots=True)
class Client:
    """A client as people install it, pinned: `script` of `calls/` is what it is made to do."""

    title: str
    script: str
    packages: tuple[str, ...]

    @property
    def node(self) -> bool:
        return self.script.endswith(".mjs")

    @property
    def folder(self) -> Path:
        return FOLDER / self.script.rpartition(".")[0]


CLIENTS = (
    Client("OpenAI's SDK for Python", "openai_python.py", ("openai==3.57.0",)),
    Client("curl, and the `openai` command of 1.x", "command_lines.py", ("openai==1.109.1",)),
    Client("OpenAI's SDK for Node", "openai_node.mjs", ("openai@6.49.0", "ws@8.23.0")),
    Client("Vercel's AI SDK", "vercel_ai_node.mjs", ("ai@6.0.326", "@ai-sdk/openai@3.0.141")),
    Client("LiteLLM", "litellm_python.py", ("litellm==1.110.2",)),
    Client(
        "LangChain's parser",
        "langchain_python.py",
        ("langchain-community==0.4.2", "openai==3.57.0", "pydub==0.25.1", "imageio-ffmpeg==0.8.1"),
    ),
    Client("LiveKit's plugin", "livekit_python.py", ("livekit-plugins-openai==1.8.9",)),
    Client("Pipecat's service", "pipecat_python.py", ("pipecat-ai[openai]==1.14.0",)),
)


def install(client: Client) -> None:
    """Once for each list of packages. Raises CalledProcessError with what the installer said."""
    stamp = client.folder / "installed.json"
    wanted = json.dumps(client.packages)
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    client.folder.mkdir(parents=True, exist_ok=True)
    if client.node:
        _run("npm", "init", "--yes", cwd=client.folder)
        _run("npm", "install", "--no-fund", "--no-audit", *client.packages, cwd=client.folder)
    else:
        _run(sys.executable, "-m", "venv", ".", cwd=client.folder)
        pip = (str(client.folder / "bin/python"), "-m", "pip", "--quiet", "install")
        _run(*pip, *client.packages, cwd=client.folder)
    stamp.write_text(wanted)


def command(client: Client) -> tuple[str, ...]:
    """What runs the client's script."""
    if not client.node:
        return (str(client.folder / "bin/python"), str(CALLS / client.script))
    # Node looks for packages beside the script and above it.
    for name in (client.script, "seen.mjs", "live.mjs"):
        (client.folder / name).write_text((CALLS / name).read_text())
    return ("node", str(client.folder / client.script))


def _run(*command: str, cwd: Path) -> Sequence[str]:
    done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()
