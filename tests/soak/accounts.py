"""accounts: holds what the catalog says of runs and absences against the schedule, and what vaults list against both."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta

GOOD = ("sealed", "some-failed")


def instant(text):
    """Python reads microseconds; the rest is cut."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole + "." + (fraction + "000000")[:6] + "+00:00")


def expected(second, began, until):
    """The slots of "SECOND * * * * *" later than `began` and no later than `until`."""
    slot = began.replace(second=second, microsecond=0)
    slots = []
    while slot <= until:
        if slot > began:
            slots.append(slot)
        slot += timedelta(minutes=1)
    return slots


def slots_of(history, source):
    """How often each slot is accounted for, and what does not add up. A retry's slot had its run."""
    times, wrong = Counter(), []
    for run in history["runs"]:
        if run["source"] == source and run["trigger"] in ("slot", "catch-up"):
            times[instant(run["slot"])] += 1
    for absence in history["absences"]:
        if absence["source"] != source:
            continue
        slot, last = instant(absence["first_slot"]), instant(absence["last_slot"])
        counted = 0
        while slot <= last:
            times[slot] += 1
            counted += 1
            slot += timedelta(minutes=1)
        if counted != absence["slots"]:
            wrong.append(f"an absence of {source} says {absence['slots']} slots, and spans {counted}")
    return times, wrong


def unaccounted(history, sources, began, ended, grace):
    """What is wrong with the accounts of slots; and how many slots were due, and how many came too late to be begun."""
    wrong, due, late = [], 0, 0
    for source in sources:
        times, found = slots_of(history, source.name)
        wrong += found
        slots = expected(source.second, began, ended)
        due += len(slots)
        for slot in slots:
            if times[slot] == 0 and slot > ended - grace:
                late += 1
            elif times[slot] != 1:
                wrong.append(f"slot {slot:%T} of {source.name} is accounted for {times[slot]} times")
        wrong += [f"{source.name} has a slot {slot:%T} that no schedule has" for slot in times.keys() - set(slots)]
    return wrong, due, late


def outcomes(history):
    return Counter(run["ended"]["outcome"] if run["ended"] else "running" for run in history["runs"])


def not_recovered(history, sources):
    """Sources whose last run that ended is no good one, and failures that no good run followed."""
    wrong = []
    for source in sources:
        runs = [run for run in history["runs"] if run["source"] == source.name and run["ended"]]
        runs.sort(key=lambda run: instant(run["started_at"]), reverse=True)
        # The one that SIGTERM ended has no successor.
        runs = [run for run in runs if run["ended"]["outcome"] != "interrupted"]
        if not runs or runs[0]["ended"]["outcome"] not in GOOD:
            wrong.append(f"the last run of {source.name} is not good")
    return wrong


def against_vaults(history, shelves):
    """What vaults list that the catalog does not know, and what it promises that they do not list."""
    wrong, listed = [], defaultdict(set)
    for shelf in shelves:
        place = f"{shelf['source']} in {shelf['vault']}"
        if shelf["more"]:
            wrong.append(f"{shelf['more']} backups of {place} were not listed")
        wrong += [f"finding: {place}: {finding}" for finding in shelf["findings"]]
        for backup in shelf["backups"]:
            if backup["state"] == "sealed":
                listed[backup["backup"]].add(shelf["vault"])
                if backup["suspect"] or backup["back_dated"]:
                    wrong.append(f"{backup['backup']} of {place} is listed as suspect or back-dated")
            elif backup["state"] != "unsealed":
                wrong.append(f"{backup['backup']} of {place} is {backup['state']}")
    runs = {run["backup"]: run for run in history["runs"] if run["backup"]}
    wrong += [f"{backup} is sealed, and no run of the catalog's" for backup in listed.keys() - runs.keys()]
    for backup, run in runs.items():
        outcome, held = run["ended"] and run["ended"]["outcome"], len(listed[backup])
        fits = {"sealed": held == 2, "some-failed": held == 1, "failed": held == 0, "interrupted": held == 0}
        # One whose process died may have been sealed anywhere, or nowhere.
        if not fits.get(outcome, True):
            wrong.append(f"{backup} of {run['source']} is {outcome} by the catalog, and sealed in {held} vaults")
    return wrong, sum(len(vaults) for vaults in listed.values())


def moved(history):
    total = Counter()
    for run in history["runs"]:
        if run["ended"]:
            total.update(run["ended"]["bytes"])
    return total
