"""LangChain's parser of recordings."""

from langchain_community.document_loaders.parsers.audio import OpenAIWhisperParser
from langchain_core.documents.base import Blob
from seen import BASE_URL, FILE, KEY, call


def parse(**options: object) -> str:
    parser = OpenAIWhisperParser(api_key=KEY, base_url=BASE_URL, **options)
    documents = parser.lazy_parse(Blob.from_path(FILE))
    return " ".join(document.page_content for document in documents)


call("OpenAIWhisperParser", parse)
call("with language, prompt, srt", lambda: parse(language="en", prompt="A", response_format="srt"))
