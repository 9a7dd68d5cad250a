"""parts: the real things of a soak: PostgreSQL servers, their load, a Ceph gateway, and the daemon between them."""

import os
import pwd
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"


def say(text):
    print(f"soak: {time.strftime('%T')} {text}", flush=True)


class Broken(Exception):
    """The soak itself cannot go on."""


def output(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Broken(f"{' '.join(str(part) for part in command)}: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout


def free_port():
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


def programs(major):
    """The folder of a PostgreSQL's programs: the tests' own, else Debian's."""
    cache = output(SUPPORT / "cache-dir").strip()
    for root in (f"{cache}/pg{major}/usr", "/usr"):
        if os.access(f"{root}/lib/postgresql/{major}/bin/initdb", os.X_OK):
            return Path(f"{root}/lib/postgresql/{major}/bin")
    raise Broken(f"no PostgreSQL {major}: run tests/support/setup test")


class Server:
    """One PostgreSQL server on a socket of its own."""

    # What is written here can be written again: the crashes in this soak are ours, not the machine's.
    SETTINGS = {
        "listen_addresses": "''", "fsync": "off", "shared_buffers": "256MB", "max_wal_size": "1GB", "timezone": "UTC",
        "log_timezone": "UTC", "log_disconnections": "on",
    }

    def __init__(self, work, name, major):
        self.name, self.major, self.bin = name, major, programs(major)
        self.dir, self.log = work / name, work / name / "log"
        self.dir.mkdir()
        owner = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self.owner = [] if owner is None else ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--inh-caps=-all"]
        if owner:
            os.chown(self.dir, owner.pw_uid, owner.pw_gid)
        self._as_owner("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        settings = {**self.SETTINGS, "unix_socket_directories": f"'{self.dir}'"}
        with open(self.dir / "data" / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.writelines(f"{key} = {value}\n" for key, value in settings.items())

    def start(self):
        self._control("start", "--log", self.log)
        self.sql("postgres", "CREATE ROLE strongroom LOGIN BYPASSRLS; GRANT pg_read_all_data TO strongroom")

    def _as_owner(self, program, *arguments):
        return output(*self.owner, self.bin / program, "--pgdata", self.dir / "data", *arguments, cwd="/")

    def _control(self, verb, *arguments):
        # Its output goes nowhere, as the server would hold a pipe open for as long as it lives.
        command = [*self.owner, self.bin / "pg_ctl", verb, "--wait", "--silent", "--pgdata", self.dir / "data", *arguments]
        done = subprocess.run([str(part) for part in command], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Broken(f"pg_ctl {verb} of {self.name} failed: {self.log}")

    def sql(self, database, text):
        return output(self.bin / "psql", "-XqAt", "-F", "|", "-v", "ON_ERROR_STOP=1", "-h", self.dir, "-U", "postgres",
                      "-d", database, "-c", text)

    def rows(self, database, text):
        return [line.split("|") for line in self.sql(database, text).splitlines()]

    def restart_fast(self):
        self._control("restart", "--mode=fast", "--log", self.log)

    def stop(self):
        if (self.dir / "data" / "postmaster.pid").exists():
            self._control("stop", "--mode=immediate")

    def longest_session_of_ours(self):
        """By the server's own log, in seconds: no transaction can have been open for longer."""
        found = re.findall(r"session time: (\d+):(\d+):([\d.]+) user=strongroom ", self.log.read_text(errors="replace"))
        return max((int(hours) * 3600 + int(minutes) * 60 + float(seconds) for hours, minutes, seconds in found), default=0.0)


class Source:
    """One database under pgbench's load."""

    def __init__(self, name, server, scale, second):
        self.name, self.server, self.scale, self.second = name, server, scale, second
        self.stopping, self.transactions, self.breaks = threading.Event(), 0, 0
        self.thread = None

    @property
    def schedule(self):
        return f"{self.second} * * * * *"

    def fill(self, still_rows):
        """pgbench's tables, and one that nobody writes: its segments are the ones that can be reused."""
        environment = {**os.environ, "PGHOST": str(self.server.dir), "PGUSER": "postgres"}
        self.server.sql("postgres", f"CREATE DATABASE {self.name}")
        output(self.server.bin / "pgbench", "-i", "-q", "-s", self.scale, self.name, env=environment)
        self.server.sql(self.name, f"""
            CREATE TABLE ledger AS SELECT i AS id, md5(i::text) || md5((i * 7)::text) AS entry,
                timestamp '2026-01-01' + i * interval '1 s' AS booked_at FROM generate_series(1, {still_rows}) i;
            ALTER TABLE ledger ADD PRIMARY KEY (id)""")

    def load(self, rate):
        self.thread = threading.Thread(target=self._load, args=(rate,), daemon=True)
        self.thread.start()

    def _load(self, rate):
        """-n: pgbench would empty its history first, and with it the sums that must be equal."""
        command = [self.server.bin / "pgbench", "-n", "-h", self.server.dir, "-U", "postgres", "-c", 2, "-j", 1, "-R", rate,
                   "-T", 86400, self.name]
        while not self.stopping.is_set():
            self.client = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while self.client.poll() is None and not self.stopping.wait(0.2):
                pass
            if self.client.poll() is None:
                self.client.terminate()
                self.client.wait()
            elif not self.stopping.is_set():
                self.breaks += 1
                self.stopping.wait(1)

    def end_load(self):
        self.stopping.set()
        if self.thread:
            self.thread.join()


class Gateway:
    """A Ceph RADOS Gateway with a bucket that locks for a day, in COMPLIANCE mode; made as the benchmark makes it."""

    def __init__(self, work):
        self.work = work

    def start(self):
        script = f'. "{HERE.parent}/bench/servers.sh"; gateway_start >/dev/null; echo $PORT'
        helpers = 'die() { echo "$*" >&2; exit 1; }; say() { echo "$*" >&2; };'
        environment = {**os.environ, "WORK": str(self.work), "SUPPORT": str(SUPPORT)}
        self.port = int(output("bash", "-c", f"set -euo pipefail; {helpers} {script}", env=environment))
        said = dict(line.split("=", 1) for line in (self.work / "rgw.env").read_text().splitlines())
        self.key_id, self.secret = said["AWS_ACCESS_KEY_ID"], said["AWS_SECRET_ACCESS_KEY"]

    def down(self):
        output(SUPPORT / "rgw-down", self.work / "rgw")

    def up(self):
        output(SUPPORT / "rgw-up", self.work / "rgw", self.port)

    def purge(self):
        if (self.work / "rgw" / "lock").exists():
            output(SUPPORT / "rgw-down", self.work / "rgw", "--purge")


class Strongroom:
    """The program under test: its folder of configurations and keys, its commands, its daemon."""

    def __init__(self, program, work, sources, gateway, restore_bin):
        self.program, self.work, self.sources = program, work, sources
        self.config, self.log = work / "config", work / "daemon.log"
        self.page = f"http://127.0.0.1:{free_port()}"
        self.process, self.lives = None, []
        urls = [f"{source.name}=postgres://strongroom@/{source.name}?host={source.server.dir}" for source in sources]
        options = [f"--source={url}" for url in urls] + ["--vault=offsite=s3://vault/strongroom", f"--vault=local=file://{work}/vault"]
        output(program, "init", self.config, "--yes", "--term=1d", f"--endpoint=http://127.0.0.1:{gateway.port}", *options)
        for role in ("depositor", "inspector", "restorer", "reporter"):
            keys = f'access_key_id = "{gateway.key_id}"\nsecret_access_key = "{gateway.secret}"\n'
            (self.config / "keys" / f"{role}.toml").write_text(keys)
        self.write_depositor(recovery_point_s=1800)
        restorer = self.config / "restorer.toml"
        text = restorer.read_text().replace("[[source]]\n", f'[[source]]\nclient_path = ["{restore_bin}"]\n')
        restorer.write_text(text)

    def write_depositor(self, recovery_point_s):
        file = self.config / "depositor.toml"
        head = file.read_text().split("[[source]]")[0].split("[daemon]")[0]
        sources = "".join(
            f'[[source]]\nname = "{source.name}"\nengine = "postgres"\n'
            f'url = "postgres://strongroom@/{source.name}?host={source.server.dir}"\n'
            f'schedule = "{source.schedule}"\ndeposit = [{{ vault = "offsite" }}, {{ vault = "local" }}]\nneeded = 1\n'
            f'objectives = {{ recovery_point = "{recovery_point_s}s" }}\n'
            # One worker each: a run is in its middle for longer, which is when this soak breaks things.
            f'workers = 1\nclient_path = ["{source.server.bin}"]\n'
            for source in self.sources
        )
        file.write_text(f'{head}[daemon]\nlisten = "{self.page.removeprefix("http://")}"\nruns_at_once = 2\n{sources}')

    def ask(self, role, *arguments):
        """Runs a command to its end: exit code, standard output, standard error."""
        command = [self.program, "-c", self.config / f"{role}.toml", "--json", *arguments]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def start(self):
        with open(self.log, "ab") as log:
            command = [str(self.program), "-c", str(self.config / "depositor.toml"), "run"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.lives.append([time.time(), None])
        say(f"daemon {self.process.pid} runs")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds):
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self.lives[-1][1] = time.time()
        return code

    def purge(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if os.getuid() == 0:
            subprocess.run(["chattr", "-R", "-f", "-i", str(self.work / "vault")], check=False)
