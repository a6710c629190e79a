"""LangChain's parser of recordings."""

import os
import tempfile
from pathlib import Path

import imageio_ffmpeg
from langchain_community.document_loaders.parsers.audio import OpenAIWhisperParser
from langchain_core.documents.base import Blob
from seen import BASE_URL, FILE, KEY, call

# The parser cuts recordings with the `ffmpeg` that it finds.
binaries = Path(tempfile.mkdtemp())
(binaries / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
os.environ["PATH"] = f"{binaries}{os.pathsep}{os.environ['PATH']}"


def parse(**options: object) -> str:
    parser = OpenAIWhisperParser(api_key=KEY, base_url=BASE_URL, **options)
    documents = parser.lazy_parse(Blob.from_path(FILE))
    return " ".join(document.page_content for document in documents)


call("OpenAIWhisperParser", parse)
call("with language, prompt, srt", lambda: parse(language="en", prompt="A", response_format="srt"))
