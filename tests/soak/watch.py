"""watch: samples the daemon and the servers every few seconds, while others break them."""

import csv
import os
import re
import threading
import time
import urllib.error
import urllib.request

EVERY = 2.0

# pg_dump's sessions are ours, too: they carry our role.
OURS = """
    SELECT count(*) FILTER (WHERE application_name = 'strongroom'), count(*),
           coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0),
           coalesce(max(age(backend_xmin)), 0),
           (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')
    FROM pg_stat_activity WHERE usename = 'strongroom'"""


def children(pid):
    """The processes that `pid` began and that still run, in /proc's words."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                state, parent = stat.read().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(entry))
    return found


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return None, ""


def series(page, name):
    """A metric's series: labels to value."""
    lines = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", page, re.MULTILINE)
    return {tuple(re.findall(r'(\w+)="([^"]*)"', labels)): float(value) for labels, value in lines}


def ours(server):
    """Sessions named strongroom, sessions of our role, oldest transaction, oldest xmin's age, advisory locks."""
    [row] = server.rows("postgres", OURS)
    return [float(cell) for cell in row]


class Watch(threading.Thread):
    FIELDS = ["at", "life", "rss_kib", "peak_kib", "fds", "threads", "children", "running", "healthz", "metrics",
              "sessions", "sessions_of_role", "xact_s", "xmin_age", "advisory_locks"]

    def __init__(self, strongroom, servers, file):
        super().__init__(daemon=True)
        self.strongroom, self.servers, self.file = strongroom, servers, file
        self.samples, self.over, self.page = [], threading.Event(), ""

    def run(self):
        with open(self.file, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.FIELDS)
            writer.writeheader()
            while not self.over.is_set():
                began = time.time()
                sample = self.sample(began)
                self.samples.append(sample)
                writer.writerow(sample)
                file.flush()
                self.over.wait(max(0.1, EVERY - (time.time() - began)))

    def sample(self, at):
        """A cell that could not be read is None, and never counts as a zero."""
        sample = dict.fromkeys(self.FIELDS)
        sample["at"], sample["life"] = at, len(self.strongroom.lives)
        sample.update(self.of_process(self.strongroom.process.pid))
        sample["healthz"], _ = get(f"{self.strongroom.page}/healthz")
        sample["metrics"], page = get(f"{self.strongroom.page}/metrics")
        if page:
            self.page = page
            sample["running"] = sum(series(page, "strongroom_running").values())
        try:
            seen = [ours(server) for server in self.servers]
        except Exception:  # a server that restarts: said by the empty cells
            return sample
        sample["sessions"], sample["sessions_of_role"] = (sum(row[cell] for row in seen) for cell in (0, 1))
        sample["xact_s"], sample["xmin_age"] = (max(row[cell] for row in seen) for cell in (2, 3))
        sample["advisory_locks"] = sum(row[4] for row in seen)
        return sample

    @staticmethod
    def of_process(pid):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as status:
                said = dict(line.split(":", 1) for line in status if ":" in line)
            number = lambda key: int(said[key].split()[0])
            return {"rss_kib": number("VmRSS"), "peak_kib": number("VmHWM"), "threads": number("Threads"),
                    "fds": len(os.listdir(f"/proc/{pid}/fd")), "children": len(children(pid))}
        except (OSError, KeyError):
            return {}

    def end(self):
        self.over.set()
        if self.is_alive():
            self.join()
