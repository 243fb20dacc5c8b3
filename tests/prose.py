"""Prose is for people: the reader that finds code which compares or parses what was written for them.

Facts are kept as data beside their words. Whoever wants to know something asks the data; words may be changed by
whoever words better, and a broker or a person may have written part of them.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture import ROOMS

NAMES = frozenset(
    {
        "detail",
        "exchange_error_snippet",
        "headline",
        "message",
        "reason_detail",
        "reason_message",
        "sentence",
        "text",
    }
)
"""So are called the attributes, columns and keys in which prose stands."""

_PLAIN_NAMES = NAMES - {"detail", "message", "text"}
"""And the local names that can mean nothing else."""

_BEFORE = "a migration: earlier versions remembered what was told in these words alone"

ALLOWED = {
    ("persistence/sqlite/schema.py", "<module>"): _BEFORE,
    ("persistence/sqlite/told_by_earlier_versions.py", "_of_orders"): _BEFORE,
    (
        "console/template_filters.py",
        "PageFormatter.reason",
    ): "of a row of an earlier version, shown without saying a thing twice",
    (
        "persistence/sqlite/queries/recent_signals.sql",
        "<module>",
    ): "operators are promised the words ORDER FAILED: this counts where they lack",
}
"""Where prose is compared or parsed all the same, and why that is right."""

_CUTS = frozenset(
    {
        "count", "endswith", "find", "index", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex",
        "rpartition", "rsplit", "split", "splitlines", "startswith",
    }
)  # fmt: skip
_SEARCHES = frozenset({"findall", "finditer", "fullmatch", "match", "search", "split", "sub", "subn"})
_STILL_PROSE = frozenset(
    {
        "casefold", "format", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rpartition",
        "rsplit", "rstrip", "split", "splitlines", "strip", "title", "upper",
    }
)  # fmt: skip
_PASSED_ON = frozenset({"plain", "safe", "str", "without_markup"})
_IN_SQL = re.compile(
    rf"\binstr\(\s*(?:\w+\.)?(?:{'|'.join(NAMES)})\b|\b(?:{'|'.join(NAMES)})\s+(?:NOT\s+)?(?:LIKE|GLOB|REGEXP)\b",
    re.IGNORECASE,
)

Breach = tuple[int, str]


def prose_read(root: Path, allowed: dict[tuple[str, str], str] | None = None) -> list[str]:
    """Every place below `root` that compares or parses prose and is not allowed to, as `file:line: rule`; and what is
    allowed in vain.
    """
    allowed = ALLOWED if allowed is None else allowed
    found, needed = [], set()
    for file in sorted([*root.rglob("*.py"), *root.rglob("*.sql")]):
        name = file.relative_to(root).as_posix()
        if not any(name.startswith(room) for room in ROOMS if room != "benchmarks/"):
            continue
        source = file.read_text(encoding="utf-8")
        places = _in_statement(source) if file.suffix == ".sql" else _in_module(ast.parse(source, name))
        for where, line, rule in places:
            if (name, where) in allowed:
                needed.add((name, where))
            else:
                found.append(f"{name}:{line}: {where}: {rule}")
    idle = [f"{name}: {where}: allowed, and does nothing of the kind" for name, where in allowed]
    return found + [line for place, line in zip(allowed, idle, strict=True) if place not in needed]


def _in_statement(source: str) -> Iterator[tuple[str, int, str]]:
    for found in _IN_SQL.finditer(source):
        yield "<module>", source.count("\n", 0, found.start()) + 1, "searches prose in SQL"


def _in_module(tree: ast.Module) -> Iterator[tuple[str, int, str]]:
    yield from (("<module>", *breach) for breach in _in_scope(tree))
    yield from _in_members(tree, "")


def _in_members(node: ast.AST, prefix: str) -> Iterator[tuple[str, int, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{child.name}"
            yield from ((name, *breach) for breach in _in_scope(child))
            yield from _in_members(child, f"{name}.")
        else:
            yield from _in_members(child, prefix)


def _in_scope(scope: ast.AST) -> Iterator[Breach]:
    nodes = list(_own_nodes(scope))
    names = _names_of_prose(nodes)
    for node in nodes:
        rule = _rule_broken(node, names)
        if rule:
            yield getattr(node, "lineno", 1), rule


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in the scope itself, not in a function or class within."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child
            yield from _own_nodes(child)


def _names_of_prose(nodes: list[ast.AST]) -> frozenset[str]:
    """Local names that stand for prose, whatever they are called."""
    names: frozenset[str] = frozenset()
    for _ in range(3):  # a name given to a name given to prose
        names |= {name for node in nodes for name in _bound(node, names)}
    return names


def _bound(node: ast.AST, names: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.NamedExpr | ast.AnnAssign):
        yield from _pairs(node.target, node.value, names)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _pairs(target, node.value, names)


def _pairs(target: ast.expr, value: ast.expr | None, names: frozenset[str]) -> Iterator[str]:
    if isinstance(target, ast.Name) and value is not None and _is_prose(value, names):
        yield target.id
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=False):
            yield from _pairs(one, other, names)


def _is_prose(node: ast.expr, names: frozenset[str]) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in NAMES
    if isinstance(node, ast.Name):
        return node.id in names or node.id in _PLAIN_NAMES
    if isinstance(node, ast.Subscript):
        return _is_key(node.slice) or _is_prose(node.value, names)
    if isinstance(node, ast.Call):
        return _gives_prose(node, names)
    if isinstance(node, ast.BoolOp):
        return any(_is_prose(value, names) for value in node.values)
    if isinstance(node, ast.IfExp):
        return _is_prose(node.body, names) or _is_prose(node.orelse, names)
    return isinstance(node, ast.NamedExpr) and _is_prose(node.value, names)


def _gives_prose(call: ast.Call, names: frozenset[str]) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in _PASSED_ON and bool(call.args) and _is_prose(call.args[0], names)
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr == "get":
        return bool(call.args) and _is_key(call.args[0])
    return call.func.attr in _STILL_PROSE and _is_prose(call.func.value, names)


def _is_key(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in NAMES


def _rule_broken(node: ast.AST, names: frozenset[str]) -> str:
    if isinstance(node, ast.Compare):
        return _compared(node, names)
    if isinstance(node, ast.Match) and _is_prose(node.subject, names):
        return "matches prose"
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _IN_SQL.search(node.value):
        return "searches prose in SQL"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _CUTS and _is_prose(node.func.value, names):
            return f"parses prose by {node.func.attr}"
        if node.func.attr in _SEARCHES and any(_is_prose(arg, names) for arg in node.args):
            return f"parses prose by {node.func.attr} of an expression"
    return ""


def _compared(node: ast.Compare, names: frozenset[str]) -> str:
    sides = [node.left, *node.comparators]
    for op, left, right in zip(node.ops, sides, node.comparators, strict=False):
        if isinstance(op, ast.Is | ast.IsNot) or _is_nothing(left) or _is_nothing(right):
            continue  # whether there is any is no question to its words
        if _is_prose(left, names) or _is_prose(right, names):
            return "compares prose"
    return ""


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (None, "")
