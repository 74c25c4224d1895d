"""Show that the tests bite: take each rule of the ownership protocol out in turn, and see a test fail for it.

    python -m tests.mutations            all ten rules; the last line says how many were caught
    python -m tests.mutations 7 8        these alone

A mutation changes a copy of the sources in a temporary folder, never the checkout, and the tests run against the copy. It is caught
where a test fails, not where the copy cannot be imported. The tests know nothing of the mutations.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

ROOT: Final = Path(__file__).parent.parent
STORM: Final = "tests/ownership/test_storm.py::test_no_storm_breaks_an_invariant_and_each_ends_in_calm"
FAULTS: Final = "tests/adapters/test_libcloud_faults.py"
RULES: Final = {
    1: "the intent is durable before the call",
    2: "the operation id goes into name, tags and token",
    3: "whatever did not certainly fail is unknown, and counts as capacity",
    4: "what is unknown is sent again by its token or searched for, and abandoned only after the settle time",
    5: "a machine of ours without a live record is destroyed; a lost journal is no empty one",
    6: "of two machines of one operation the bound one stays",
    7: "missing takes three plausible listings over a minute",
    8: "a destroy is sent until the machine is certainly gone",
    9: "ours is what carries our owner tag and an operation tag, or, in a cloud without tags, a name that we alone can make",
    10: "one daemon per owner",
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One part of a rule, taken out.

    Attributes:
        what: burstd without it, in words.
        path: the module, below src/burstd.
        old: its text there, which must be found just once.
        new: what stands there instead.
        tests: where it must be caught.
    """

    rule: int
    what: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...] = (STORM,)


MUTATIONS: Final = (
    Mutation(
        1,
        "calls before records",
        "plan/__init__.py",
        "(*draft.records, *draft.edits, *draft.pushes, *draft.calls, *draft.guards, *draft.notes)",
        "(*draft.calls, *draft.edits, *draft.pushes, *draft.records, *draft.guards, *draft.notes)",
    ),
    Mutation(
        1,
        "goes on when the intent cannot be stored",
        "act.py",
        "            return Report(tuple(done), skipped=plan.actions[len(done) :])",
        "            continue",
        ("tests/stories/test_stories.py::test_when_an_intent_cannot_be_stored_nothing_is_done",),
    ),
    Mutation(2, "no operation tag", "plan/scaling.py", ", (OPERATION_TAG, operation))", ")"),
    Mutation(2, "no token", "plan/scaling.py", "token=operation,", 'token="",'),
    Mutation(2, "a name for all", "plan/scaling.py", "policy.owner, operation),", 'policy.owner, "0" * 32),'),
    Mutation(
        3,
        "a lost answer is a failure",
        "plan/outcomes.py",
        "            _doubt(draft, instance, fault.text)\n        case Destroyed",
        "            draft.move(instance, Phase.FAILED, fault.text)\n        case Destroyed",
    ),
    Mutation(
        3,
        "a create that a crash has cut off is a failure",
        "plan/ownership.py",
        'Phase.UNKNOWN, "nobody waits',
        'Phase.FAILED, "nobody waits',
    ),
    Mutation(
        3,
        "an unknown create is no capacity",
        "model/fleet.py",
        "Phase.REQUESTED, Phase.UNKNOWN, Phase.BOOTING",
        "Phase.REQUESTED, Phase.BOOTING",
    ),
    Mutation(
        3,
        "any error is a failure",
        "adapters/libcloud/calls.py",
        "if verdict.nothing_done and made is None:",
        "if made is None:",
        (FAULTS,),
    ),
    Mutation(4, "sent again without a token", "plan/ownership.py", "may = instance.pool in cloud.resends and ", "may = "),
    Mutation(
        4,
        "abandoned at once",
        "plan/ownership.py",
        "            if settled and missed >= _ABANDON_MISSES and",
        "            settled = True\n            if settled and missed >= _ABANDON_MISSES and",
    ),
    Mutation(
        4,
        "abandoned by one listing",
        "plan/ownership.py",
        "_ABANDON_MISSES = 2",
        "_ABANDON_MISSES = 1",
        (STORM, "tests/plan/test_ownership.py::test_after_the_settle_time_two_listings_without_it_abandon_it"),
    ),
    Mutation(5, "orphans live on", "plan/ownership.py", "        _destroy_strays(draft, listing, ours)\n", ""),
    Mutation(
        5,
        "a lost journal starts a new fleet",
        "adapters/sqlite.py",
        "        elif copied is not None:\n",
        "        elif False:\n",
        ("tests/adapters/test_sqlite.py::test_a_lost_file_does_not_pass_for_a_first_start",),
    ),
    Mutation(
        6,
        "the second machine stays",
        "plan/ownership.py",
        'draft.call(DestroyCall(node.operation or "", node.pool, node.id))',
        "pass",
    ),
    Mutation(6, "the bound machine goes too", "plan/ownership.py", "instance.node_id in {None, node.id})", "instance.node_id is None)"),
    Mutation(
        7, "one miss means gone", "plan/ownership.py", "elif missed >= MISSES and listing.asked_at - since >= MISSING_FOR:", "elif True:"
    ),
    Mutation(
        7,
        "an empty listing is believed",
        "plan/ownership.py",
        "if ours or not any(True for _ in _expected(draft, listing.pool)):",
        "if True:",
    ),
    Mutation(
        7,
        "a failed listing is an empty one",
        "plan/ownership.py",
        "        if isinstance(listing.nodes, Fault):\n            continue\n",
        "        if isinstance(listing.nodes, Fault):\n            listing = Listing(listing.pool, listing.asked_at, (), listing.serial)\n",
    ),
    Mutation(
        8,
        "a destroy is sent once",
        "plan/leaving.py",
        "due = instance.attempted_at is None or ",
        "due = instance.attempted_at is None and ",
    ),
    Mutation(
        8,
        "an accepted destroy is the end",
        "plan/outcomes.py",
        "case Destroyed(node_id=node_id, absent=True) if",
        "case Destroyed(node_id=node_id) if",
    ),
    Mutation(
        8,
        "a machine in error is left alone",
        "plan/ownership.py",
        'lose(draft, instance, "the cloud shows it in error", exists=True)',
        'lose(draft, instance, "the cloud shows it in error")',
    ),
    Mutation(
        8,
        "the cloud's own answer to a destroy is not looked at",
        "adapters/libcloud/calls.py",
        "if self._record.destroy(driver, target):",
        "if (self._record.destroy(driver, target), True)[1]:",
        (FAULTS,),
    ),
    Mutation(9, "any owner is ours", "plan/ownership.py", "node.owner == draft.policy.owner and node.operation}", "node.operation}"),
    Mutation(
        9,
        "the owner tag is enough",
        "plan/ownership.py",
        "node.owner == draft.policy.owner and node.operation}",
        "node.owner == draft.policy.owner}",
    ),
    Mutation(
        9,
        "no second look before a destroy",
        "adapters/libcloud/calls.py",
        "if (node.owner, node.operation) != (self._owner, call.operation):",
        "if False:",
        (FAULTS,),
    ),
    Mutation(
        9,
        "a name in our form is enough",
        "model/naming.py",
        "if compare_digest(proof, _proof(prefix, owner, operation)) else None",
        "if proof else None",
        ("tests/ownership/test_names.py",),
    ),
    Mutation(
        9,
        "a name that holds ours is enough",
        "model/naming.py",
        "_MARKED.fullmatch(name)",
        "_MARKED.search(name)",
        ("tests/ownership/test_names.py",),
    ),
    Mutation(
        10,
        "no lock",
        "adapters/durable.py",
        "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        ("tests/adapters/test_sqlite.py::test_a_second_burstd_is_kept_out_and_told_who_holds_the_folder",),
    ),
    Mutation(
        10,
        "a new owner at each start",
        "adapters/sqlite.py",
        "            [(owner,)] = rows\n",
        "            owner = uuid4().hex\n",
        ("tests/contracts/test_roster.py::test_the_owner_stays_the_same_for_ever",),
    ),
)


class NotFoundError(Exception):
    """The text to change is not there just once: the code has moved on, and the mutation must follow it."""


def sources(folder: Path, mutation: Mutation | None = None) -> None:
    """Copy the package to `folder`, with one rule taken out.

    Raises:
        NotFoundError: the mutation does not fit the code.
    """
    shutil.copytree(ROOT / "src", folder, ignore=shutil.ignore_patterns("__pycache__"))
    if mutation is not None:
        module = folder / "burstd" / mutation.path
        text = module.read_text(encoding="utf-8")
        if text.count(mutation.old) != 1:
            raise NotFoundError(f"{mutation.path} has {text.count(mutation.old)} times: {mutation.old.strip()}")
        module.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")


def failing(tests: tuple[str, ...], mutation: Mutation | None = None) -> str:
    """The first test that fails against this copy of the sources; empty where none does.

    Raises:
        NotFoundError: the mutation does not fit the code.
        RuntimeError: the tests could not be run at all.
    """
    with tempfile.TemporaryDirectory(prefix="burstd-mutation-") as folder:
        sources(Path(folder) / "src", mutation)
        line = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "--no-header", "-p", "no:cacheprovider", *tests]
        environment = {**os.environ, "PYTHONPATH": f"{folder}/src", "PYTHONDONTWRITEBYTECODE": "1", "CI": "1"}
        ended = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"^FAILED (\S+)", ended.stdout, re.MULTILINE)
    if ended.returncode == 1 and found is not None:
        return found[1]
    if ended.returncode != 0:
        raise RuntimeError(f"pytest ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return ""


def caught(mutation: Mutation) -> bool:
    """Take it out, run the tests, and say what came of it."""
    click.echo(f"  {mutation.what:<55} ", nl=False)
    begun = time.monotonic()
    try:
        test = failing(mutation.tests, mutation)
    except (NotFoundError, RuntimeError) as error:
        click.echo(f"NOT TRIED: {error}")
        return False
    click.echo(f"{f'caught by {test}' if test else 'SURVIVED'} ({time.monotonic() - begun:.0f} s)")
    return bool(test)


@click.command()
@click.argument("rules", nargs=-1, type=click.IntRange(1, len(RULES)))
def main(rules: tuple[int, ...]) -> None:
    """Take the RULES out one by one (all of them by default); exit 1 where a test should have noticed and did not."""
    chosen = rules or tuple(RULES)
    tried = [each for each in MUTATIONS if each.rule in chosen]
    click.echo(f"{len(tried)} mutations of {len(chosen)} rules; first the tests as they are")
    if broken := failing(tuple(dict.fromkeys(test for each in tried for test in each.tests))):
        raise click.ClickException(f"{broken} fails without any mutation; mend that first")
    good = 0
    for rule in chosen:
        click.echo(f"rule {rule}: {RULES[rule]}")
        seen = [caught(each) for each in tried if each.rule == rule]
        good += all(seen)
    click.echo(f"{good} of {len(chosen)}")
    sys.exit(good != len(chosen))


if __name__ == "__main__":
    main()
