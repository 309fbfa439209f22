"""Reads OTLP/JSON with the official protobuf classes: strictly, or as a server must take it.

OTLP/JSON is the JSON mapping of protobuf with rules of its own. Where they differ from the mapping the text
is brought into its form here, explicitly; where they are stricter than the reader they are checked here.
"""

import base64
import json
import re

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor as Field

# The only bytes that stand as hexadecimal digits.
IDS = {"traceId", "spanId", "parentSpanId"}
HEX = re.compile(r"([0-9a-f]{2})*")

INTEGERS_64 = {Field.TYPE_INT64, Field.TYPE_UINT64, Field.TYPE_FIXED64, Field.TYPE_SFIXED64}
INTEGERS_32 = {
    Field.TYPE_INT32,
    Field.TYPE_UINT32,
    Field.TYPE_SINT32,
    Field.TYPE_FIXED32,
    Field.TYPE_ENUM,
}


def parse(text, message_class):
    """The message that `text` is; raises ValueError when it is not strictly OTLP/JSON."""
    parsed = json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_int=integer)
    return json_format.ParseDict(converted(parsed, message_class.DESCRIPTOR), message_class())


def parse_leniently(text, message_class):
    """The message that `text` is, also with fields that are not known and 64-bit integers as numbers."""
    parsed = json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_int=integer)
    known = converted(parsed, message_class.DESCRIPTOR, is_strict=False)
    return json_format.ParseDict(known, message_class())


def unique(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError(f"a name stands twice: {[name for name, _ in pairs]}")
    return result


def integer(text):
    """JSON tells 0 from -0, integers of Python do not."""
    return -0.0 if text == "-0" else int(text)


def converted(value, descriptor, is_strict=True):
    """A message in the mapping of protobuf: ids in base64."""
    if not isinstance(value, dict):
        raise ValueError(f"{descriptor.name} is {value!r}")
    fields = {field.json_name: field for field in descriptor.fields}
    result = {}
    for name, content in value.items():
        # Only lowerCamelCase is allowed; the reader takes the original names as well.
        if name not in fields:
            if not is_strict:
                continue
            raise ValueError(f"{descriptor.name} has no {name!r}")
        field = fields[name]
        if is_repeated(field):
            result[name] = [converted_value(member, field, is_strict) for member in content]
        else:
            result[name] = converted_value(content, field, is_strict)
    return result


def is_repeated(field):
    # The older name is gone from newer versions, and the newer one missing in older ones.
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == Field.LABEL_REPEATED


def converted_value(value, field, is_strict):
    if field.type == Field.TYPE_MESSAGE:
        return converted(value, field.message_type, is_strict)
    if field.json_name in IDS:
        if not HEX.fullmatch(value):
            raise ValueError(f"{field.name} is {value!r}, not lower-case hexadecimal digits")
        return base64.b64encode(bytes.fromhex(value)).decode()
    if is_strict and field.type in INTEGERS_64 and not isinstance(value, str):
        raise ValueError(f"{field.name} is {value!r}, not a decimal string")
    # Enums stand by their number; a bool is an int in Python.
    if field.type in INTEGERS_32 and type(value) is not int:
        raise ValueError(f"{field.name} is {value!r}, not a number")
    return value
