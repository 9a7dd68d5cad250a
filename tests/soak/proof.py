"""proof: restores every sealed backup of every vault, and asks the restored database questions of its own."""

import json
from concurrent.futures import ThreadPoolExecutor

from accounts import instant
from parts import Broken

# What pgbench keeps true in every snapshot, and in no mixture of two.
SUMS = """
    SELECT (SELECT coalesce(sum(abalance), 0) FROM pgbench_accounts), (SELECT coalesce(sum(bbalance), 0) FROM pgbench_branches),
           (SELECT coalesce(sum(tbalance), 0) FROM pgbench_tellers), (SELECT coalesce(sum(delta), 0) FROM pgbench_history),
           (SELECT count(*) FROM pgbench_accounts), (SELECT count(*) FROM pgbench_history), (SELECT count(*) FROM ledger),
           (SELECT coalesce(extract(epoch FROM max(mtime) AT TIME ZONE 'UTC'), 0) FROM pgbench_history),
           (SELECT count(*) FROM pg_index WHERE indisprimary AND indrelid::regclass::text ~ '^(pgbench|ledger)')"""

# Between the clock's reading and the snapshot itself, rows may be committed.
SNAPSHOT_LATER_S = 2
# The load pauses while its server restarts.
LAST_ROW_OLDER_S = 30


def sums(server, database):
    [row] = server.rows(database, SUMS)
    return row


def differences(source, asked, still_rows, snapshot_at):
    """What is wrong with a restored database, in words."""
    accounts, branches, tellers, history, account_rows, _, ledger, last_row, keys = asked
    wrong = []
    if len({accounts, branches, tellers, history}) != 1:
        wrong.append(f"pgbench's sums differ: {accounts}, {branches}, {tellers}, {history}")
    if (int(account_rows), int(ledger)) != (source.scale * 100_000, still_rows):
        wrong.append(f"{account_rows} accounts and {ledger} ledger rows")
    if int(keys) != 4:
        wrong.append(f"{keys} primary keys instead of 4")
    age = snapshot_at - float(last_row)
    # A backup that was taken before the load began has no row to compare with.
    if float(last_row) and not -SNAPSHOT_LATER_S <= age <= LAST_ROW_OLDER_S:
        wrong.append(f"its newest row is {age:.1f} s older than its snapshot")
    return wrong


class Proof:
    def __init__(self, strongroom, target, still_rows):
        self.strongroom, self.target, self.still_rows = strongroom, target, still_rows
        self.sources = {source.name: source for source in strongroom.sources}
        self.restored, self.wrong, self.seen = 0, [], {}

    def all(self, shelves, at_once=2):
        """Every sealed backup; those of one snapshot must be equal in all vaults."""
        wanted = [(shelf["vault"], shelf["source"], backup) for shelf in shelves for backup in shelf["backups"]
                  if backup["state"] == "sealed"]
        with ThreadPoolExecutor(at_once) as pool:
            for place, found in pool.map(self.one, range(len(wanted)), wanted):
                self.wrong += [f"{place}: {what}" for what in found]

    def one(self, number, wanted):
        vault, name, backup = wanted
        identity, database, place = backup["backup"], f"r{number}", f"{wanted[2]['backup']} of {name} from {vault}"
        try:
            return place, self.restore(vault, name, backup, identity, database)
        except (Broken, ValueError, KeyError) as error:
            return place, [f"could not be asked: {error}"]

    def restore(self, vault, name, backup, identity, database):
        url = f"postgres://postgres@/{database}?host={self.target.dir}"
        code, said, why = self.strongroom.ask("restorer", "restore", name, "--at", identity, "--vault", vault, "--to", url, "--jobs", 1)
        if code != 0:
            return [f"restore ended with {code}: {why.strip()[-400:]}"]
        report = json.loads(said)
        if not report["compared"] or report["backup"] != identity:
            return [f"restore did not compare, or took another: {said[:400]}"]
        asked = sums(self.target, database)
        self.target.sql("postgres", f"DROP DATABASE {database}")
        wrong = differences(self.sources[name], asked, self.still_rows, instant(backup["snapshot_at"]).timestamp())
        if self.seen.setdefault((name, identity), asked) != asked:
            wrong.append("it differs from the same backup in the other vault")
        self.restored += 1
        return wrong
