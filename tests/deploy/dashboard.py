"""dashboard.py FILE: reads a dashboard with Grafana's own schema, the classes of grafana-foundation-sdk, and prints what
that schema does not know or has of another type, and every query. Fails if there is any of the former."""

import enum
import json
import sys
import typing

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

wrong = []


def compare(given, kept, place):
    """All that was given is kept when it is read and written again: the schema knows it."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key in kept:
                compare(value, kept[key], f"{place}/{key}")
            else:
                wrong.append(f"{place}/{key} is not in the schema")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for index, pair in enumerate(zip(given, kept)):
            compare(*pair, f"{place}/{index}")
    elif given != kept:
        wrong.append(f"{place} is {given!r}, read as {kept!r}")


def fits(value, hint):
    """Is `value` of the type `hint`? Readers of the schema take what they are given."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (typing.Any, object):
        return True
    if origin is typing.Union:
        return any(fits(value, one) for one in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is list:
        return isinstance(value, list) and all(fits(one, arguments[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(one, arguments[1]) for one in value.values())
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value in [member.value for member in hint]
    if isinstance(value, dict) and hasattr(hint, "from_json"):  # some are left as they were given
        return json.loads(json.dumps(hint.from_json(value), cls=JSONEncoder)) == value
    return isinstance(value, hint)


def judge(thing, place):
    """Every field of every object that was read is of its type."""
    if isinstance(thing, list):
        for index, one in enumerate(thing):
            judge(one, f"{place}/{index}")
    elif isinstance(thing, dict):
        for key, one in thing.items():
            judge(one, f"{place}/{key}")
    elif hasattr(thing, "to_json"):
        hints = typing.get_type_hints(type(thing))
        for name, value in vars(thing).items():
            if not fits(value, hints[name]):
                wrong.append(f"{place}/{name} is {value!r}, not of {hints[name]}")
            judge(value, f"{place}/{name}")


register_default_plugins()
with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)
read = Dashboard.from_json(given)
compare(given, json.loads(json.dumps(read, cls=JSONEncoder)), "")
judge(read, "")
panels = [panel for panel in given["panels"] if panel["type"] != "row"]
places = [(panel["gridPos"]["x"] + panel["gridPos"]["w"]) for panel in panels]
if max(places) > 24 or len({panel["id"] for panel in given["panels"]}) != len(given["panels"]):
    wrong.append("a panel is outside of the grid, or two have one id")
queries = [target["expr"] for panel in panels for target in panel["targets"]]
print(json.dumps({"wrong": wrong, "queries": queries}))
sys.exit(1 if wrong else 0)
