"""The house rules of the code, and the reader that finds what breaks them.

Imports point one way: a room may import only the rooms, and touch only the world, that ROOMS grants it.
A new room, or a new thing for a room to touch, is a decision: it is written into ROOMS first.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alerts.formats.registry import DIALECTS
from broker import registry
from broker.registry import BROKERS


@dataclass(frozen=True)
class Room:
    """What the code of a room may import of ours, and through what it may touch the world. None: anything."""

    ours: tuple[str, ...] | None = ()
    world: tuple[str, ...] | None = ()


FILES = ("fcntl", "glob", "mmap", "os", "pathlib", "shutil", "tempfile")
CLOCK = ("datetime.now", "sched", "time")  # the first stands for its kin too: utcnow, today
THREADS = ("asyncio", "concurrent", "multiprocessing", "queue", "threading")
PROCESSES = ("signal", "subprocess")
SOCKETS = ("select", "selectors", "socket", "socketserver", "ssl")
WEB = ("ftplib", "http.client", "http.server", "smtplib", "urllib.error", "urllib.request")
FLASK = ("flask", "markupsafe", "werkzeug")
HTTP = ("requests", "urllib3")

# What of the standard library touches the world; the rest of it is free to all.
WORLDLY = {*FILES, *CLOCK, *THREADS, *PROCESSES, *SOCKETS, *WEB, "ctypes", "importlib", "logging", "sqlite3"}
# Packages that only compute.
FREE = {"pydantic", "typing_extensions"}

SERVICES = ("domain", "command_service", "observability")
ADAPTER = ("domain", "observability")
# A broker's settings model stands with the broker. The settings are given the models, and import no broker.
DESCRIBED = (*ADAPTER, "config.brokers", "config.fields")
# Whoever may import observability may write to a log; setting logging up is observability's.
LOG = ("logging",)
BROKER = (*LOG, *CLOCK, *THREADS, *SOCKETS, *HTTP, "websocket")

# The longest prefix of a file's path decides.
ROOMS = {
    "domain/": Room(),
    "observability/": Room((), (*LOG, "prometheus_client", *CLOCK, *FILES, *THREADS)),
    "blockers/": Room(("domain",)),
    "use_cases/": Room(("domain", "blockers", "observability"), LOG),
    "command_service.py": Room(("domain", "blockers", "observability", "use_cases"), LOG),
    "order_watcher.py": Room(("engine",)),
    # A lock is no I/O; the threads that make it necessary are app's.
    # The legs of an alert are kept together by one rule, whether the engine or a person ends one. A protection asks for
    # its exit in the transaction that fires it.
    "engine/": Room(
        (
            "domain",
            "blockers",
            "observability",
            "use_cases.forced_exit",
            "use_cases.leg_groups",
            "use_cases.protect",
            "use_cases.unwind_groups",
        ),
        (*LOG, "threading"),
    ),
    "alerts/": Room(SERVICES, LOG),
    "alerts/webhook.py": Room(SERVICES, (*LOG, *FLASK)),
    "console/": Room(SERVICES, (*LOG, *FLASK, *CLOCK)),
    "persistence/": Room(ADAPTER, (*LOG, "pathlib")),  # a path names a database; opening it is sqlite's
    "persistence/sqlite/": Room(
        ADAPTER, (*LOG, "sqlite3", "sqlite_utils", *CLOCK, *FILES, *THREADS, *SOCKETS)
    ),
    "persistence/sqlite/queries/statements.py": Room((), ("pathlib",)),  # reads the .sql files beside it
    "persistence/memory/": Room(ADAPTER, ("threading",)),  # a double for tests: it touches nothing
    "broker/": Room(DESCRIBED, BROKER),
    "broker/description.py": Room(DESCRIBED, ("pathlib",)),  # the type of a path alone
    "broker/access_tokens.py": Room(
        DESCRIBED, (*BROKER, "pathlib")
    ),  # the day's access token may stand in a file
    "broker/noren/": Room(DESCRIBED, (*BROKER, "pyotp")),
    "broker/dhan/": Room(DESCRIBED, (*BROKER, "pathlib")),
    "broker/zerodha/": Room(DESCRIBED, (*BROKER, "pathlib")),  # the day's access token may stand in a file
    "broker/rate_limit/": Room(ADAPTER, (*BROKER, *FILES)),
    # The paper broker keeps its book in an SQLite file of its own; the simulator is a real server.
    "broker/paper/": Room(DESCRIBED, (*BROKER, *FILES, "sqlite3")),
    "broker/simulator/": Room(ADAPTER, (*BROKER, *FILES, *FLASK, *PROCESSES, *WEB, "sqlite3")),
    "notifications/": Room(ADAPTER, (*LOG, *HTTP, *CLOCK)),
    # What operators say in a chat: it reads and acts through ports, and sends through the channel that it is given.
    "conversation/": Room((*SERVICES, "notifications.markup"), LOG),
    "app/": Room(
        (*ADAPTER, "alerts", "engine", "notifications"),  # the front receives alerts on its event loop
        (*LOG, *THREADS, *PROCESSES, "ctypes", *SOCKETS, *CLOCK, *FILES, "apscheduler", "gunicorn"),
    ),
    "config/": Room(("domain",), ("dotenv", *FILES)),
    "app/proxies.py": Room(("domain",), FLASK),  # the headers of proxies are read as Flask would read them
    "app/container.py": Room(None, None),
    "app/instruments.py": Room(
        None, None
    ),  # lists of brokers become masters, and those resolve the names of alerts
    # The user's own dialects are checked with the settings.
    "app/settings.py": Room(("alerts", "broker", "config"), FILES),
    "app/starting.py": Room(None, None),  # what trading_bot.py does before it serves
    "gunicorn.conf.py": Room(),  # settings of a gunicorn that is started by hand
    "trading_bot.py": Room(None, None),
    "cli.py": Room(None, None),
    "cli_backup.py": Room(None, None),
    "cli_doctor.py": Room(None, None),
    "cli_holdings.py": Room(None, None),
    "cli_instruments.py": Room(None, None),
    "cli_output.py": Room(("domain",)),
    "cli_posting.py": Room(None, None),
    "cli_parser.py": Room(("domain",)),
    "cli_replay.py": Room(None, None),
    "benchmarks/": Room(None, None),
}
WITHOUT_RULES = {"tests", "docs", "data", "deploy"}  # deploy: files for other programs, no code of ours

# Who adds a broker adds a folder of this room and its line in the registry: nothing else may depend on which there are.
BROKERS_ROOM = "broker/"
BROKER_NAMES = BROKERS.keys() | {
    file.parent.name for file in Path(registry.__file__).parent.glob("*/description.py")
}
# Nor on which dialects alerts may be written in. The benchmarks measure certain ones.
NAMED_IN_ONE_ROOM = {BROKERS_ROOM: ("broker", BROKER_NAMES), "alerts/": ("dialect", {*DIALECTS.names})}
# And a broker whose list of instruments is read may have a dialect's name.
# The addresses that a platform publishes stand under its name.
MAY_NAME_ALL = ("benchmarks/", "broker/masters/", "domain/senders.py")
# The name of a dialect may be that of a broker or its API too.
NAMES_OF_ROOMS = {(BROKERS_ROOM, "kite"), (BROKERS_ROOM, "dhan"), ("alerts/", "dhan")}

ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv"}
ENVIRONMENT_READER = "config/settings.py"
SENDER = "engine/submitter.py"
MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 60

SQL_FILES = "persistence/sqlite/queries/"
MAX_SQL_CHARACTERS = 160
MIN_REPEATED_CHARACTERS = 60
# The schema and what brings older databases to it are read as a history, in one piece.
WITHOUT_SQL_FILES = {
    f"persistence/sqlite/{name}.py"
    for name in (
        "conversation_schema",
        "group_schema",
        "migrations",
        "operator_schema",
        "protection_schema",
        "risk_schema",
        "schema",
        "told_by_earlier_versions",
        "triggers",
    )
}

_OURS = {prefix.removesuffix(".py").rstrip("/") for prefix in ROOMS if "/" not in prefix[:-1]}
Breach = tuple[int, str]


def violations(root: Path) -> list[str]:
    """Every breach of the rules below `root`, as `file:line: rule`. A room may be missing."""
    found = []
    for entry in sorted(root.iterdir()):
        label = entry.name + "/" * entry.is_dir()
        if entry.name.startswith((".", "__pycache__")) or entry.name in WITHOUT_RULES:
            continue
        if label in ROOMS:
            files = sorted(entry.rglob("*.py")) if entry.is_dir() else [entry]
            found += [
                breach for file in files for breach in _in_file(file.relative_to(root).as_posix(), file)
            ]
        elif _holds_something(entry):
            found.append(
                f"{label}:1: no room has this name; a new room is a decision, written into ROOMS first"
            )
    return [*found, *_sql_breaches(root)]


def _holds_something(entry: Path) -> bool:
    if not entry.is_dir():
        return entry.suffix == ".py"
    # Python leaves __pycache__ behind where a room was moved or removed.
    return any(file.is_file() and "__pycache__" not in file.parts for file in entry.rglob("*"))


def _in_file(name: str, file: Path) -> list[str]:
    source = file.read_text(encoding="utf-8")
    try:
        tree = ast.parse(source, name)
    except SyntaxError as error:
        return [f"{name}:{error.lineno}: {error.msg}"]
    room = ROOMS[max((prefix for prefix in ROOMS if name.startswith(prefix)), key=len)]
    breaches = {
        *_import_breaches(name, tree, room),
        *_use_breaches(name, tree, room),
        *_place_breaches(name, tree),
        *_name_breaches(name, source),
        *_size_breaches(source, tree),
    }
    return [f"{name}:{line}: {rule}" for line, rule in sorted(breaches)]


def _import_breaches(name: str, tree: ast.Module, room: Room) -> Iterator[Breach]:
    own = name.split("/")[0].removesuffix(".py")
    # `python order_watcher.py` starts a watcher, and only the composition root can put one together.
    start = set(_main_block(tree)) if name == "order_watcher.py" else set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for module in _modules(name, node):
            top = module.split(".")[0]
            if module.startswith("persistence.sqlite") and own != "persistence" and room.ours is None:
                yield (
                    node.lineno,
                    "only persistence/ knows which database it is: must not import persistence.sqlite",
                )
            elif module == "sqlite3" and room.world is None and own != "benchmarks":
                yield node.lineno, "only persistence/ knows which database it is: must not use sqlite3"
            elif top in _OURS:
                granted = room.ours is None or top == own or _is_in(module, room.ours)
                if not granted and not (top == "trading_bot" and node in start):
                    yield node.lineno, f"must not import {top}"
            elif (needed := _needed(module)) and room.world is not None and needed not in room.world:
                yield node.lineno, f"must not use {needed}"


def _is_in(module: str, granted: tuple[str, ...]) -> bool:
    """Whether a grant names the module or a package that it is in."""
    return any(module == each or module.startswith(f"{each}.") for each in granted)


def _modules(name: str, node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that a statement imports, in full: `from a import b` may mean `a` and `a.b`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    folders = name.split("/")[:-1]
    package = folders[: len(folders) - node.level + 1] if node.level else []
    base = [*package, *([node.module] if node.module else [])]
    return [".".join(base), *(".".join([*base, alias.name]) for alias in node.names)]


def _needed(module: str) -> str | None:
    """What a room must be granted for this module; None: it is free to all."""
    top = module.split(".")[0]
    if top and top not in sys.stdlib_module_names:
        return None if top in FREE else top
    return next((each for each in WORLDLY if module == each or module.startswith(f"{each}.")), None)


def _main_block(tree: ast.Module) -> Iterator[ast.AST]:
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            for statement in node.body:
                yield from ast.walk(statement)


def _use_breaches(name: str, tree: ast.Module, room: Room) -> Iterator[Breach]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            clock = dotted.endswith(("datetime.now", "datetime.utcnow", "datetime.today", "date.today"))
            if clock and room.world is not None and "datetime.now" not in room.world:
                yield node.lineno, f"must not read the clock: {dotted}"
            if dotted in ENVIRONMENT and name != ENVIRONMENT_READER:
                yield node.lineno, f"only {ENVIRONMENT_READER} reads the environment: {dotted}"
        elif isinstance(node, ast.ImportFrom) and name != ENVIRONMENT_READER:
            for module in ENVIRONMENT.intersection(_modules(name, node)):
                yield node.lineno, f"only {ENVIRONMENT_READER} reads the environment: {module}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "open" and room.world is not None and "pathlib" not in room.world:
                yield node.lineno, "must not use open()"
            if node.func.id == "float" and name.startswith(("domain/", "blockers/")):
                yield node.lineno, "money, prices and quantities are Decimal: must not use float()"


def _place_breaches(name: str, tree: ast.Module) -> Iterator[Breach]:
    # `.place` without a call counts too: a method that is handed on will be called.
    granted = 1 if name == SENDER else 0
    for method, what in (("place", "orders"), ("place_together", "batches")):
        lines = [
            node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == method
        ]
        if not name.startswith("broker/"):
            for line in sorted(lines)[granted:]:
                yield line, f"only one line, in {SENDER}, sends {what} to a broker: no other .{method}"


def _name_breaches(name: str, source: str) -> Iterator[Breach]:
    """A broker's or a dialect's name in code, comment or docstring, also in a longer name: `PaperBroker`."""
    if name.startswith(MAY_NAME_ALL):
        return
    for room, (what, names) in NAMED_IN_ONE_ROOM.items():
        if name.startswith(room):
            continue
        for number, line in enumerate(source.splitlines(), start=1):
            if not any(each in line.lower() for each in names):
                continue
            parts = {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", line)}
            for each in sorted(names & parts):
                if any(name.startswith(own) and each == word for own, word in NAMES_OF_ROOMS):
                    continue
                yield number, f"only {room} names a {what}: {each}"


def _size_breaches(source: str, tree: ast.Module) -> Iterator[Breach]:
    if source.count("\n") > MAX_MODULE_LINES:
        yield MAX_MODULE_LINES + 1, f"a module has at most {MAX_MODULE_LINES} lines"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield node.lineno, f"{node.name}: a function has at most {MAX_FUNCTION_LINES} lines"


_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|VALUES|CASE)\b|\bsum\(|\bcount\(")

_BEGINNINGS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


def _sql_breaches(root: Path) -> Iterator[str]:
    """Long SQL between lines of Python, statements that stand twice, and .sql files that are missing or not used."""
    places: dict[str, list[str]] = {}
    named: dict[str, str] = {}
    for file in sorted((root / "persistence/sqlite").rglob("*.py")):
        name = file.relative_to(root).as_posix()
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"), name)
        except SyntaxError:
            continue  # told of already
        for line, sql in () if name in WITHOUT_SQL_FILES else _sql_in(tree):
            place = f"{name}:{line}"
            if len(sql) > MAX_SQL_CHARACTERS:
                yield f"{place}: SQL of more than {MAX_SQL_CHARACTERS} characters stands in a file of {SQL_FILES}"
            elif len(sql) >= MIN_REPEATED_CHARACTERS and sql.startswith(_BEGINNINGS):
                places.setdefault(sql, []).append(place)
        named |= {each: f"{name}:{line}" for line, each in _statements_named(tree)}
    for first, *others in places.values():
        for place in others:
            yield f"{place}: SQL that stands in {first} too stands in a file of {SQL_FILES}"
    files = {file.stem for file in (root / SQL_FILES).glob("*.sql")}
    yield from (f"{named[each]}: {SQL_FILES} has no {each}.sql" for each in sorted(named.keys() - files))
    yield from (f"{SQL_FILES}{each}.sql:1: no code names this file" for each in sorted(files - named.keys()))


def _sql_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each literal with SQL in it, with one space between its words; of an f-string the parts that are text."""
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in parts or id(node) in docstrings:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "{}".join(str(each.value) for each in node.values if isinstance(each, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if _SQL.search(text):
            yield node.lineno, " ".join(text.split())


def _statements_named(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("statement", "orders_statement"):
            yield from (
                (node.lineno, str(each.value)) for each in node.args if isinstance(each, ast.Constant)
            )
