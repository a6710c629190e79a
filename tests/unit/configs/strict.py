"""Checks that Ray and Kubernetes leave out: no key that nobody would read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel

ROOT = Path(__file__).parents[3]

PROFILES = (
    "serve_config.yaml",
    "configs/cpu.yaml",
    "configs/gpu.yaml",
    "configs/multi-gpu.yaml",
)


def read(path: str) -> dict[str, Any]:
    document = yaml.load((ROOT / path).read_text(), NoDuplicates)
    assert isinstance(document, dict)
    return document


class NoDuplicates(yaml.SafeLoader):
    """PyYAML lets the last of two equal keys win, in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(
                None, None, "a key stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def unknown_keys(data: Any, annotation: Any, path: str = "") -> Iterator[str]:
    """Paths of `data` that the pydantic type `annotation` has no field for.

    Serve's own models ignore such keys. Where a field may be a plain dict or a model, the
    model counts; the values of a field that is only a dict are free.
    """
    model = _model_in(annotation)
    if isinstance(data, list):
        for index, item in enumerate(data):
            yield from unknown_keys(item, annotation, f"{path}[{index}]")
    elif isinstance(data, dict) and model is not None:
        fields = {
            name: field
            for key, field in model.model_fields.items()
            for name in {key, field.alias or key}
        }
        for key, value in data.items():
            if key in fields:
                yield from unknown_keys(value, fields[key].annotation, f"{path}.{key}")
            else:
                yield f"{path}.{key}"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [model for inner in get_args(annotation) if (model := _model_in(inner))]
    return found[0] if found else None
