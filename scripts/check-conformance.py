#!/usr/bin/env python3
"""Holds docs/conformance.md and docs/environment.md to what the code says.

  scripts/check-conformance.py              fails on a row that is cited and not on the page, on a
                                            list of tests that is out of date, and on an OTEL_ variable
                                            that is read and not in docs/environment.md
  scripts/check-conformance.py --update     rewrites the lists of tests first
  scripts/check-conformance.py --self-test  proves that the checks can fail

Needs Python 3.9 or newer, and nothing else.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/conformance.md"
VARIABLES = ROOT / "docs/environment.md"
TREES = ["crates", "benches", "examples", "fuzz", "interop"]
SKIPPED = {"target", "corpus", "artifacts"}

# Comments alone: code is full of `V4` and `Z0`. No section has thirty rows, so `I64` is no row.
COMMENT = re.compile(r"//[/!]?(.*)")
ID = r"(?:G-L[1-9]|[A-Z](?:[1-9]|[12][0-9]))"
RANGE = re.compile(rf"\b({ID}) to ({ID})\b")
ONE = re.compile(rf"(?<![\w%:\\-])({ID})(?![\w-])")
TRAP = re.compile(r"\b[Tt]rap ([0-9]+)")
LETTERS = set("WZGHBJFXTLPIRCSMO")
# A propagator is called that; the row of that name is one where the comment says so.
B3 = re.compile(r"\brows? (?:[A-Z0-9-]+(?:, | and | to ))*B3\b")
ROW = re.compile(rf"^\| ({ID}|[0-9]+)( †)? \|")
PUBLISHED = ("otlp-core/", "otlp-sdk/", "otlp-exporter-", "otlp-contrib/", "otlp-collector/")
FAULTS = "Fault scenarios"
# Names rows, and is no list of them.
DEVIATIONS = "Deviations"
# Letters that name a row of this section in these files, and a fault scenario elsewhere.
SHARED = {
    "C": ("otlp-sdk/src/propagation", "otlp-sdk/tests/propagation"),
    "S": ("otlp-sdk/src/resource",),
}


def cited_in(line):
    """The rows that a line of a comment names."""
    comment = COMMENT.search(line)
    if not comment:
        return set()
    text = comment.group(1)
    found = {f"trap {number}" for number in TRAP.findall(text)}
    for first, last in RANGE.findall(text):
        if first[0] == last[0]:
            found |= {f"{first[0]}{n}" for n in range(int(first[1:]), int(last[1:]) + 1)}
    found |= set(ONE.findall(text))
    if not B3.search(text):
        found.discard("B3")
    return {row for row in found if row.startswith("trap") or row[0] in LETTERS}


def key_of(row, file):
    """The row with its section, where a letter has two."""
    homes = SHARED.get(row[0])
    return f"fault {row}" if homes and not file.startswith(homes) else row


def is_test(file, in_test_module):
    return in_test_module or "/tests/" in file or file.endswith("/tests.rs")


def citations(files):
    """For each row: the files that cite it, and those where a test does."""
    anywhere, tests = defaultdict(set), defaultdict(set)
    for file, text in files:
        in_test_module = False
        for line in text.splitlines():
            in_test_module |= line.startswith("mod tests {")
            for row in cited_in(line):
                key = key_of(row, file)
                anywhere[key].add(file)
                if is_test(file, in_test_module):
                    tests[key].add(file)
    return anywhere, tests


def source_files():
    for tree in TREES:
        for path in sorted((ROOT / tree).rglob("*")):
            name = path.relative_to(ROOT)
            if path.suffix == ".rs" and not SKIPPED & set(name.parts):
                yield str(name).removeprefix("crates/"), path.read_text(encoding="utf-8")


def page_rows(page):
    """The key of each row of the page, with the number of its line."""
    section, rows = "", {}
    for number, line in enumerate(page):
        if line.startswith("#"):
            section = line
        row = ROW.match(line)
        if row and DEVIATIONS not in section:
            name = row.group(1)
            if name.isdigit():
                name = f"trap {name}"
            elif FAULTS in section:
                name = f"fault {name}"
            rows[name] = number
    return rows


def with_tests(line, tests):
    """The row with this list of tests in its last cell."""
    cells = line.rstrip().rstrip("|").split("|")
    cells[-1] = " " + (", ".join(f"`{file}`" for file in sorted(tests)) or "–") + " "
    return "|".join(cells) + "|"


def problems_of(page, files):
    anywhere, tests = citations(files)
    rows = page_rows(page)
    problems = [
        f"{key} is cited in {', '.join(sorted(cited))} and is not in docs/conformance.md"
        for key, cited in sorted(anywhere.items())
        if key not in rows
    ]
    for key, number in rows.items():
        if key not in anywhere:
            problems.append(f"{key} is in docs/conformance.md, but nothing cites it any more")
        elif with_tests(page[number], tests[key]) != page[number]:
            problems.append(f"the tests of {key} have changed; run with --update")
    return problems


def update(page, files):
    _, tests = citations(files)
    for key, number in page_rows(page).items():
        page[number] = with_tests(page[number], tests[key])
    return page


def variables_read(files):
    """The variables that the code outside of tests looks up by their whole name."""
    found = set()
    for file, text in files:
        product = text.split("\nmod tests {")[0]
        if file.startswith(PUBLISHED) and "/src/" in file and not is_test(file, False):
            code = "\n".join(line.split("//")[0] for line in product.splitlines())
            found |= set(re.findall(r'"(OTEL_[A-Z_]*[A-Z])"', code))
            # Those of the exporter are put together from a prefix and these.
            if file.endswith("config/resolve.rs"):
                names = re.findall(r'\.(?:first|names|pem)\(\s*"([A-Z_]+)"', code)
                found |= {f"OTEL_EXPORTER_OTLP_{name}" for name in names}
    return found - {"OTEL_EXPORTER_OTLP"}


def undocumented(files, text):
    names = set(re.findall(r"`(OTEL_[A-Z_]+)`", text))
    return [
        f"{name} is read and is not in docs/environment.md"
        for name in sorted(variables_read(files) - names)
    ]


def self_test():
    page = ["## 2.7 Resource", "| S1 | must | a | b | – |"]
    page += ["## 4. Fault scenarios", "| S1 | a | b | – |"]
    page += ["## Deviations", "| S1 | what | why |"]
    resource = ("otlp-sdk/src/resource.rs", "/// (row S1)")
    fault = ("otlp-sdk/tests/faults.rs", "// S1")
    both = [resource, fault]
    assert problems_of(update(list(page), both), both) == []
    assert update(list(page), both)[1] == page[1], "cited, and by no test"
    assert update(list(page), both)[-1] == page[-1]
    assert update(list(page), both)[3] == "| S1 | a | b | `otlp-sdk/tests/faults.rs` |"
    assert len(problems_of(page, both)) == 1, "a stale list"
    assert len(problems_of(page, [resource])) == 1, "a row that nothing cites"
    missing = ("otlp-sdk/src/a.rs", "// T3, T5 to T6, Trap 9")
    found = {problem.split(" is ")[0] for problem in problems_of(page, [*both, missing])}
    assert found >= {"T3", "T5", "T6", "trap 9"}, found
    assert cited_in('let x = "S1"; // I64, 0xB8, L2 and V4') == {"L2"}
    assert cited_in("// the B3 header, G-L5") == {"G-L5"}
    assert cited_in("// rows B1 and B3") == {"B1", "B3"}
    read = [("otlp-sdk/src/a.rs", 'env.bool("OTEL_NEW"); // "OTEL_NOT"')]
    assert [problem.split()[0] for problem in undocumented(read, "`OTEL_OLD`")] == ["OTEL_NEW"]
    print("self-test: the checks fail where they must")


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if arguments not in ([], ["--update"]):
        sys.exit(__doc__)
    files = list(source_files())
    page = PAGE.read_text(encoding="utf-8").splitlines()
    if arguments == ["--update"]:
        page = update(page, files)
        PAGE.write_text("\n".join(page) + "\n", encoding="utf-8")
    problems = problems_of(page, files) + undocumented(files, VARIABLES.read_text(encoding="utf-8"))
    if problems:
        sys.exit("\n".join(problems))
    rows, variables = len(page_rows(page)), len(variables_read(files))
    print(f"{rows} rows are cited and {variables} variables are read; all are documented")


if __name__ == "__main__":
    main(sys.argv[1:])
