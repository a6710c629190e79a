"""What pydantic finds wrong, said to people."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serve_app.http.around.sentences import describe


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    needed: str
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    share: float = Field(0.5, ge=0, lt=1)
    count: int = Field(1, gt=0, le=9)
    names: tuple[str, ...] = ()
    name: str = Field("xx", min_length=2, max_length=3)
    more: dict[str, str] = {}


@pytest.mark.parametrize(
    ("values", "param", "sentence"),
    [
        ({}, "needed", "'needed' is missing; send it."),
        ({"flavour": 1}, "flavour", "There is no option 'flavour' here; leave it out."),
        ({"kind": "c"}, "kind", "'kind' has to be 'a' or 'b', not 'c'."),
        ({"flag": "perhaps"}, "flag", "'flag' has to be true or false, not 'perhaps'."),
        ({"share": "hot"}, "share", "'share' has to be a number, not 'hot'."),
        ({"share": -1}, "share", "'share' has to be at least 0, not -1."),
        ({"share": 1}, "share", "'share' has to be less than 1, not 1."),
        ({"count": "1.5"}, "count", "'count' has to be a whole number, not '1.5'."),
        ({"count": 0}, "count", "'count' has to be more than 0, not 0."),
        ({"count": 10}, "count", "'count' has to be at most 9, not 10."),
        ({"names": "x"}, "names", "'names' has to be a list, not 'x'."),
        ({"names": ["x", 1]}, "names", "'names' has to be a text, not 1."),
        ({"name": "x"}, "name", "'name' has to be at least 2 characters long, not 'x'."),
        (
            {"name": "x" * 99},
            "name",
            f"'name' has to be at most 3 characters long, not '{'x' * 79}….",
        ),
        ({"more": 3}, "more", "'more' has to be an object, not 3."),
    ],
)
def test_each_kind_of_error(values: dict[str, Any], param: str, sentence: str) -> None:
    if values:
        values = {"needed": "x", **values}
    with pytest.raises(ValidationError) as caught:
        Options.model_validate(values)
    assert describe(caught.value.errors()) == (sentence, param)


def test_a_body_of_another_kind() -> None:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate([])
    assert describe(caught.value.errors()) == (
        "The request body has to be an object, not [].",
        None,
    )


def test_where_a_parameter_stands_is_no_part_of_its_name() -> None:
    error = {"type": "enum", "loc": ("query", "format"), "input": "x", "ctx": {"expected": "'a'"}}
    assert describe([error]) == ("'format' has to be 'a', not 'x'.", "format")
