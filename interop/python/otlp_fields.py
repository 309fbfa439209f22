"""The fields of OTLP messages in the shape of our clients' reports, and where two of those differ."""

import json
import struct

from google.protobuf.unknown_fields import UnknownFieldSet


def resource_of(group):
    """The resource of a group such as ResourceSpans."""
    return {"schema_url": group.schema_url, "attributes": attributes(group.resource.attributes)}


def scope_of(group):
    """The scope of a group such as ScopeSpans."""
    return {
        "name": group.scope.name,
        "version": group.scope.version,
        "schema_url": group.schema_url,
        "attributes": attributes(group.scope.attributes),
    }


def identifier(value, length):
    if len(value) != length or not any(value):
        raise ValueError(f"identifier {value.hex()!r} is not {length} bytes with one that is not 0")
    return value.hex()


def attributes(pairs):
    result = {}
    for pair in pairs:
        if pair.key in result:
            raise ValueError(f"attribute {pair.key!r} stands twice in one collection")
        result[pair.key] = value_of(pair.value)
    return result


def value_of(value):
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return {"string": value.string_value}
    if kind == "bool_value":
        return {"bool": value.bool_value}
    if kind == "int_value":
        return {"int": value.int_value}
    if kind == "double_value":
        return {"double": double(value.double_value)}
    if kind == "bytes_value":
        return {"bytes": value.bytes_value.hex()}
    if kind == "array_value":
        return {"array": [value_of(item) for item in value.array_value.values]}
    if kind == "kvlist_value":
        return {"map": attributes(value.kvlist_value.values)}
    raise ValueError(f"value of kind {kind}")


def double(value):
    """By its bits: one NaN equals another there, and 0 is not -0."""
    return struct.pack(">d", value).hex()


def unknown_fields(message, path):
    """The paths of all fields that the official classes do not know."""
    for field in UnknownFieldSet(message):
        yield f"{path}: unknown field {field.field_number}"
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        items = [value] if hasattr(value, "ListFields") else value
        for item in items:
            yield from unknown_fields(item, f"{path}.{field.name}")


def differences(expected, actual, path):
    """Where two JSON-like values differ, one line each."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(expected.keys() | actual.keys()):
            if key not in actual:
                yield f"{path}.{key} is missing"
            elif key not in expected:
                yield f"{path}.{key} was not expected: {short(actual[key])}"
            else:
                yield from differences(expected[key], actual[key], f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (left, right) in enumerate(zip(expected, actual)):
            yield from differences(left, right, f"{path}[{index}]")
    # `True == 1` in Python, so the types must agree as well.
    elif type(expected) is not type(actual) or expected != actual:
        yield f"{path}: sent {short(expected)}, received {short(actual)}"


def short(value):
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 120 else text[:117] + "..."


def compare_resources(expected, resources):
    resources = list({json.dumps(it, sort_keys=True): it for it in resources}.values())
    if len(resources) != 1:
        yield f"{len(resources)} different resources arrived, expected 1"
    for resource in resources:
        own = resource["attributes"]
        for key in ("telemetry.sdk.name", "telemetry.sdk.version"):
            if "string" not in own.get(key, {}):
                yield f"resource attribute {key} is missing"
        # The SDK may add more; what was asked for must be there.
        kept = {key: value for key, value in own.items() if key in expected["attributes"]}
        yield from differences(expected, {**resource, "attributes": kept}, "resource")


def compare_ledger(total, sent, received, treat):
    """What the client says became of `total` items."""
    rejected = 1 if treat == "reject one" else 0
    expected = {
        "ended": total,
        "delivered": total - rejected,
        "rejected": rejected,
        "dropped": 0,
        "held": 0,
    }
    yield from differences(expected, sent["ledger"], "ledger")
    if treat == "refuse" and received.refused != 1:
        yield f"{received.refused} requests were refused, expected 1"
    if len(received.requests) < 2:
        yield f"{len(received.requests)} requests, expected more than one"


def with_bodies_unset(request):
    """The Go Collector does not tell a record without a body from one whose body is an empty value."""
    for of_resource in getattr(request, "resource_logs", ()):
        for of_scope in of_resource.scope_logs:
            for record in of_scope.log_records:
                if record.body.WhichOneof("value") is None:
                    record.ClearField("body")
    return request
