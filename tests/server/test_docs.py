"""The examples of the API in the documentation do what the text beside them says."""

import json
import re
from pathlib import Path

from tests.server.conftest import ALERT, Site

TEXT = (Path(__file__).parents[2] / "docs/how-to/acknowledge.md").read_text()
[EXAMPLES] = re.findall(r"<!-- example: api -->\n```sh\n(.*?)```", TEXT, re.DOTALL)
CALL = re.compile(
    r'curl "\$RELAY/api/v1(?P<path>[^"]+)" -H "Authorization: Bearer \$TOKEN"'
    r"(?: --json '(?P<body>[^']+)')?\n"
)


async def test_the_calls_are_served(site: Site) -> None:
    calls = [(found["path"], found["body"]) for found in CALL.finditer(EXAMPLES)]
    assert len(calls) == EXAMPLES.count("curl") == 5
    said = []
    made = ""
    for path, body in calls:
        method = "GET" if body is None else "POST"
        order = None if body is None else json.loads(body)
        status, answer = await site.call(path.replace("sil_x8m2", made), order, method)
        said.append((status, sorted(answer)))
        made = answer.get("id", made)
        site.clock.jump(1)
    silence = ["author", "comment", "created_at", "ends_at", "id", "intervals", "match", "starts_at"]
    assert said == [
        (200, ["about", "at", "by", "note", "until", "via"]),
        (200, ["about"]),
        (201, silence),
        (200, ["items"]),
        (200, silence),
    ]


async def test_the_error_is_told_so(site: Site) -> None:
    [example] = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    _, said = await site.call("/acknowledge", {"by": "a", "about": ALERT, "abuot": 1})
    assert said == json.loads(example)
