#!/bin/sh
# Runs as root on the machine that tests/deploy/systemd.rs boots; /shared is the test's folder. What happened is told in
# files there, and judged by the test.
set -u
cd /shared || exit
echo yes >booted
# what a command says, and how it ends
tell() { name=$1; shift; "$@" >"$name.out" 2>&1; echo $? >"$name.code"; }
# a backup by its unit; .out ends in what the journal has of it since the last one
backup() {
  unit=strongroom-backup@$2.service
  tell "$1" systemctl start "$unit"
  systemctl show --value -p ExecMainStatus "$unit" >"$1.status"
  journalctl --sync
  journalctl -q --no-pager -o cat --cursor-file=/run/cursor -u "$unit" >>"$1.out"
}

# --- README's block; `install.sh` is it, with the test's program and vault
cd /checkout || exit
tell /shared/install sh -eux /shared/install.sh
cd /shared || exit

# --- a database that knows the service's user by name, and by password over TCP
mkdir -p /run/postgresql /srv/postgresql && chown postgres: /run/postgresql /srv/postgresql
bin=/usr/lib/postgresql/15/bin
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/srv/postgresql "$@"; }
cd /srv/postgresql || exit
printf 'local all postgres trust\nlocal all all peer\nhost all all all scram-sha-256\n' >hba
tell /shared/initdb as_postgres $bin/initdb -D data --locale=C.UTF-8 --no-sync
cp hba data/pg_hba.conf
tell /shared/postgres as_postgres $bin/pg_ctl -D data -w -l data/log -o '-c fsync=off -c unix_socket_directories=/run/postgresql -c listen_addresses=127.0.0.1' start
as_postgres psql -q -h /run/postgresql -f - postgres >/shared/sql.out 2>&1 <<'SQL'
CREATE ROLE strongroom LOGIN BYPASSRLS; GRANT pg_read_all_data TO strongroom;
CREATE ROLE by_password LOGIN BYPASSRLS PASSWORD 'p:w\d'; GRANT pg_read_all_data TO by_password;
CREATE DATABASE app; CREATE DATABASE billing;
\c app
CREATE TABLE t AS SELECT generate_series(1, 1000) AS n;
\c billing
CREATE TABLE t AS SELECT generate_series(1, 2000) AS n;
SQL
cd /shared || exit
cat >>/etc/strongroom/depositor.toml <<'TOML'
[[source]]
name = "billing"
engine = "postgres"
url = "postgres://by_password@127.0.0.1/billing?sslmode=disable"
password = { systemd = "keys_billing.password" }
TOML
printf '%s\n' 'p:w\d' >/etc/strongroom/keys/billing.password
chmod 600 /etc/strongroom/keys/billing.password

# --- a directory as the vault, by its drop-in
install -d -o strongroom -g strongroom -m 750 /srv/strongroom
for unit in strongroom.service strongroom-backup@.service; do
  install -D -m 644 /checkout/deploy/systemd/drop-ins/directory-vault.conf "/etc/systemd/system/$unit.d/directory-vault.conf"
done
systemctl daemon-reload

# --- with the keys that open backups still here, no unit starts
backup refused app
mv /etc/strongroom/keys/recovery.key /etc/strongroom/keys/drill.key /etc/strongroom/keys/report.key /root/

systemctl start dbus
tell check sh -eu check.sh
backup by_socket app
backup by_password billing
lsattr -R /srv/strongroom >vault.txt 2>&1
stat -c '%U %a %n' /etc/strongroom /etc/strongroom/keys /etc/strongroom/keys/* /var/lib/strongroom >owners.txt 2>&1

# --- the daemon: it backs up, answers, reads its settings again, and ends
get() { perl -e 'use IO::Socket::INET; my $s = IO::Socket::INET->new("127.0.0.1:7470") or die; print $s "GET /$ARGV[0] HTTP/1.0\r\nHost: localhost\r\n\r\n"; print <$s>' "$1"; }
sed -i 's/^schedule = .*/schedule = "*\/2 * * * * *"/' /etc/strongroom/depositor.toml
systemctl daemon-reload
tell daemon_start systemctl start strongroom.service
tries=0
# the vault's clock is asked when its settings are, a little later
until [ "$(get metrics | grep -c -e 'last_run_success{source="app"} 1' -e '^strongroom_clock_skew')" = 2 ] || [ $((tries += 1)) -gt 60 ]; do sleep 0.5; done
systemctl show -p ActiveState -p StatusText -p NRestarts strongroom.service >daemon_running.txt
for page in metrics healthz readyz; do get $page >daemon_$page.txt 2>&1; done
tell daemon_reload systemctl reload strongroom.service
cp /etc/strongroom/depositor.toml /root/depositor.toml
echo 'nonsense = 1' >>/etc/strongroom/depositor.toml
tell daemon_reload_wrong systemctl reload strongroom.service
tries=0
until get metrics | grep -q 'config_reload_success 0' || [ $((tries += 1)) -gt 60 ]; do sleep 0.5; done
get metrics >daemon_metrics_wrong.txt
tell daemon_stop timeout 20 systemctl stop strongroom.service
systemctl show -p Result -p ExecMainStatus strongroom.service >daemon_stopped.txt
tell daemon_start_wrong systemctl start strongroom.service
sleep 1
systemctl show -p ActiveState -p ExecMainStatus -p NRestarts strongroom.service >daemon_wrong.txt
cp /root/depositor.toml /etc/strongroom/depositor.toml
journalctl --sync
journalctl -q --no-pager -o cat -u strongroom.service >daemon.log
systemctl reset-failed strongroom.service

# --- the sandbox as it is in force: the unit itself, with another program; without the drop-in, as it is shipped
probe() { # name of the report, unit
  mkdir -p "/run/systemd/system/$2.d"
  printf '[Service]\nType=oneshot\nWatchdogSec=0\nExecStart=\nExecStart=/bin/sh /shared/probe.sh\nStandardOutput=file:/run/probe.out\nStandardError=inherit\n' \
    >"/run/systemd/system/$2.d/probe.conf"
  systemctl daemon-reload
  tell "$1" systemctl start "$2"
  cp /run/probe.out "$1.out"; rm -f /run/probe.out "/run/systemd/system/$2.d/probe.conf"
  systemctl daemon-reload
}
mkdir /etc/directory-vault.aside
for unit in strongroom.service strongroom-backup@.service; do mv "/etc/systemd/system/$unit.d" "/etc/directory-vault.aside/$unit.d"; done
probe sandbox_run strongroom.service
probe sandbox_backup strongroom-backup@app.service
# A user namespace does not stop a backup: only the immutable flag needs to be outside of one.
mkdir -p /run/systemd/system/strongroom-backup@.service.d
printf '[Service]\nReadWritePaths=/srv/strongroom\n' >/run/systemd/system/strongroom-backup@.service.d/writable.conf
systemctl daemon-reload
backup shipped_by_socket app
backup shipped_by_password billing
rm -r /run/systemd/system/strongroom-backup@.service.d

# --- keys that are encrypted at rest
for unit in strongroom.service strongroom-backup@.service; do
  mv "/etc/directory-vault.aside/$unit.d" /etc/systemd/system/
  install -m 644 /checkout/deploy/systemd/drop-ins/encrypted-credentials.conf "/etc/systemd/system/$unit.d/"
done
mkdir -m 700 /etc/strongroom/keys.encrypted
for file in /etc/strongroom/keys/*; do
  name=${file##*/}
  systemd-creds encrypt --with-key=host --name="keys_$name" "$file" "/etc/strongroom/keys.encrypted/$name" || echo "$name" >>unencrypted
done >encrypt.log 2>&1
mv /etc/strongroom/keys /root/keys.plain
systemctl daemon-reload
backup encrypted app
mv /root/keys.plain /etc/strongroom/keys

# --- settings that are wrong
sed -i 's/^term = .*/term = "35"/' /etc/strongroom/depositor.toml
backup wrong_settings app

. /shared/watchers.sh

as_postgres $bin/pg_ctl -D /srv/postgresql/data -m immediate stop >/dev/null 2>&1
echo yes >finished
