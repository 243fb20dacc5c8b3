"""`python -m tests.simulation --lifecycles N --seed S`: the real engine in simulated worlds, and one line of figures.

With `--world 7/123` that one world is run alone, its failure is made small, and its story is told. With
`--order ID` too, all that concerns that order's symbol is told, and nothing is made small.
"""

import argparse
import os
import sys
import time

from tests.simulation.plan import ALERTS, SWITCHES, Plan, make_plan
from tests.simulation.runs import database, run_many, shrink
from tests.simulation.story import symbol_story
from tests.simulation.world import Figures, World

COLUMNS = {
    "duplicates": "2 ",
    "false FAILED": "3 false FAILED",
    "false EXECUTED": "3 false EXECUTED",
    "acks lost": "1 ",
    "reversed": "11 reversed",
    "not its own": "11 not its own",
    "exits FAILED too soon": "11 exit FAILED too soon",
    "forgotten": "12 forgotten",
}
"""What the line names, and how the promises are called that it counts."""


def main() -> int:
    """Run as the arguments say; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--lifecycles", type=int, default=20_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--world", help="the seed of one world, as a failure names it")
    parser.add_argument("--alerts", type=int, default=ALERTS, help="how many alerts are sent in a world")
    parser.add_argument("--order", help="tell the story of this order's symbol in that world")
    parser.add_argument(
        "--record", action="store_true", help="print all steps of that world and its database"
    )
    parser.add_argument(
        "--without",
        default="",
        help="faults and forms of alerts to leave out, by commas: " + ", ".join(SWITCHES),
    )
    parser.add_argument(
        "--unchecked", default="", help="how promises begin that are not looked at, by commas"
    )
    options = parser.parse_args()
    without, unchecked = _list(options.without), _list(options.unchecked)
    if unknown := set(without) - set(SWITCHES):
        parser.error(f"no such switch: {', '.join(sorted(unknown))}")
    if options.world:
        return _one_world(
            options, make_plan(options.world, alerts=options.alerts, without=without), unchecked
        )
    began = last = time.monotonic()
    named = 0

    def tell(total: Figures) -> None:
        nonlocal last, named
        for seed, broken in total.broken[named:]:  # a long run is looked into while it goes on
            print(f"world {seed} at {broken.at:.3f} s: {broken.promise}: {broken.text}", file=sys.stderr)
        named = len(total.broken)
        if time.monotonic() - last > 20:
            last = time.monotonic()
            rate = total.lifecycles / (last - began)
            print(
                f"… {total.lifecycles:,} lifecycles, {rate:,.0f}/s, {len(total.broken)} broken",
                file=sys.stderr,
            )

    total = run_many(
        options.seed,
        options.lifecycles,
        jobs=options.jobs,
        tell=tell,
        alerts=options.alerts,
        without=without,
        unchecked=unchecked,
    )
    print(line(total, options.seed, time.monotonic() - began, options.jobs))
    for seed, broken in total.broken[:5]:
        print(f"world {seed} at {broken.at:.3f} s: {broken.promise}: {broken.text}")
        print(f"  again: python -m tests.simulation --world {seed}{_unless_usual(options.alerts)}")
    return 1 if total.broken else 0


def line(total: Figures, seed: str, seconds: float, jobs: int) -> str:
    """The run in one line, and what went on in it in another."""
    zeros = ", ".join(
        f"{name} {sum(broken.promise.startswith(begin) for _, broken in total.broken)}"
        for name, begin in COLUMNS.items()
    )
    went_on = ", ".join(f"{name} {total.counts[name]:,}" for name in sorted(total.counts))
    return (
        f"{total.lifecycles:,} lifecycles in {total.worlds:,} worlds of seed {seed}, {total.steps:,} steps checked: "
        f"{zeros}, promises broken {len(total.broken)}; {total.lifecycles / seconds:,.0f} lifecycles/s on {jobs} "
        f"processes, digest {total.digest[:16]}\n{went_on}"
    )


def _one_world(options: argparse.Namespace, plan: Plan, unchecked: tuple[str, ...]) -> int:
    if options.order:
        print("\n".join(symbol_story(plan, options.order)))
        return 0
    return _record(plan) if options.record else _explain(plan, unchecked)


def _unless_usual(alerts: int) -> str:
    return "" if alerts == ALERTS else f" --alerts {alerts}"


def _list(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _explain(plan: Plan, unchecked: tuple[str, ...]) -> int:
    figures, story = _told(plan, unchecked)
    if not figures.broken:
        print(line(figures, plan.seed, 1.0, 1))
        return 0
    print("\n".join(story))
    small = shrink(plan, unchecked=unchecked)
    faults = ", ".join(name for name, rate in small.rates.items() if rate)
    print(
        f"\nsmaller: {len(small.alerts)} alerts, {small.watchers} watchers, {small.webs} webs, with: {faults}"
    )
    for planned in small.alerts:
        print(f"  {planned.at:.3f} s: {planned.alert}")
    print("\n".join(_told(small, unchecked)[1]))
    return 1


def _record(plan: Plan) -> int:
    trace: list[str] = []
    with database() as path:
        World(plan, path, trace=trace, keep_dump=True).run()
    print("\n".join(trace))
    return 0


def _told(plan: Plan, unchecked: tuple[str, ...]) -> tuple[Figures, list[str]]:
    """Run with a trace; its last lines and the events of the orders concerned."""
    trace: list[str] = []
    with database() as path:
        world = World(plan, path, trace=trace, unchecked=unchecked)
        figures = world.run()
    told = [f"{b.promise}: {b.text}" for _, b in figures.broken]
    return figures, [*trace[-40:], *told, *world.story]


if __name__ == "__main__":
    sys.exit(main())
