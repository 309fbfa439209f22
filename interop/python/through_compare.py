"""Whether what came out of a collector equals what was sent."""

from collections import Counter

from otlp_fields import differences
from otlp_servers import MEDIA_JSON, SIGNALS
from otlp_sink import Arrived, text_of
from through_bench import EDITED, EXITS, MARK

# The message that holds the groups, the groups in it, the scopes in those, and the items in those.
LEVELS = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
}


def compare(way, direct, arrived):
    """How what came out by one way differs from what was sent, in order."""
    for it in arrived:
        if it.media != way.media() or it.encoding not in (None, way.compression):
            yield f"{way.name()}: {it.signal} came as {it.media}, {it.encoding}"
    for signal in SIGNALS:
        sent = [it.message for it in direct if it.signal == signal]
        came = [it.message for it in arrived if it.signal == signal]
        if len(sent) != len(came):
            yield f"{way.name()}: {len(came)} requests with {signal}, expected {len(sent)}"
        for number, (left, right) in enumerate(zip(sent, came)):
            yield from message_differences(left, right, f"{way.name()}, {signal} {number}")


def message_differences(expected, actual, path):
    # As bytes: one NaN equals another there, 0 is not -0, and what the classes do not know counts.
    if encoded(expected) == encoded(actual):
        return
    found = list(differences(text_of(expected), text_of(actual), path))
    yield from found or [f"{path} differs in what JSON does not show"]


def encoded(message):
    return message.SerializeToString(deterministic=True)


def flat(arrived, is_marked):
    """Every item with its scope and resource, how often it came; problems with the mark beside that."""
    found, problems = Counter(), []
    for it in arrived:
        groups, scopes, items = LEVELS[it.signal]
        for group in getattr(it.message, groups):
            attributes = group.resource.attributes
            marks = [pair for pair in attributes if pair.key == MARK[0]]
            if [pair.value.string_value for pair in marks] != [MARK[1]] * is_marked:
                problems.append(f"{EDITED}: {len(marks)} marks at a resource of {it.signal}")
            for pair in marks:
                attributes.remove(pair)
            for scope in getattr(group, scopes):
                above = (encoded(group.resource), group.schema_url, encoded(scope.scope), scope.schema_url)
                found.update((it.signal, *above, encoded(item)) for item in getattr(scope, items))
    return found, problems


def compare_edited(direct, edited):
    sent, problems = flat(copies(direct), False)
    came, more = flat(edited, True)
    yield from problems + more
    for signal in SIGNALS:
        for what, extra in (("did not come", sent - came), ("came and was never sent", came - sent)):
            count = sum(number for item, number in extra.items() if item[0] == signal)
            if count:
                yield f"{EDITED}: {count} items of {signal} {what}"


def copies(arrived):
    return [it._replace(message=type(it.message).FromString(encoded(it.message))) for it in arrived]


def items_of(arrived):
    """How many spans, log records and metrics there are."""
    count = 0
    for it in arrived:
        groups, scopes, items = LEVELS[it.signal]
        of_scopes = (scope for group in getattr(it.message, groups) for scope in getattr(group, scopes))
        count += sum(len(getattr(scope, items)) for scope in of_scopes)
    return count


def example(signal):
    """A request with two items."""
    request = SIGNALS[signal].request()
    groups, scopes, items = LEVELS[signal]
    group = getattr(request, groups).add()
    of_scope = getattr(getattr(group, scopes).add(), items)
    for number in range(2):
        item = of_scope.add()
        if signal == "traces":
            item.trace_id, item.span_id, item.name = b"\1" * 16, bytes([number + 1] * 8), "a span"
        elif signal == "logs":
            item.body.string_value = "a record"
        else:
            item.name = "a.gauge"
            item.gauge.data_points.add().as_int = number
    return request


def self_test():
    """The comparison must notice a difference in any field, or a passing run means nothing."""
    for signal in SIGNALS:
        way, sent = EXITS[0], [Arrived(signal, example(signal), EXITS[0].media(), None)]
        assert not list(compare(way, sent, copies(sent)))
        assert list(compare(way, sent, [])), "a request is missing"
        assert list(compare(way, sent, [sent[0]._replace(media=MEDIA_JSON)])), "another form"
        groups, scopes, _ = LEVELS[signal]
        changed = copies(sent)
        group = getattr(changed[0].message, groups)[0]
        getattr(group, scopes)[0].scope.name = "changed"
        assert list(compare(way, sent, changed)), "a scope has changed"
        assert list(compare_edited(sent, changed)), "the mark is missing, and a scope has changed"
        marked = copies(sent)
        resource = getattr(marked[0].message, groups)[0].resource
        resource.attributes.add(key=MARK[0]).value.string_value = MARK[1]
        assert not list(compare_edited(sent, copies(marked)))
        assert list(compare_edited(sent, copies(marked) + copies(marked))), "everything came twice"
