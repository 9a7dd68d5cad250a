#!/bin/sh
# Bubblewrap inside the drill's unit, as a drill calls it, with a PostgreSQL in it that is asked something.
set -eu
scratch=/var/lib/strongroom-drill/scratch
mkdir -p $scratch
cat >$scratch/inside.sh <<'SH'
set -eu
bin=/usr/lib/postgresql/15/bin
[ "$(hostname)" = scratch ] && [ "$(ls /proc | grep -c '^[0-9]')" -lt 10 ] && echo apart
$bin/initdb -D /scratch/data -U postgres --auth=trust --no-sync >/scratch/log 2>&1 || { cat /scratch/log; exit 1; }
$bin/pg_ctl -D /scratch/data -w -l /scratch/log start \
  -o '-c jit=off -c listen_addresses= -c unix_socket_directories=/scratch' >/dev/null || { cat /scratch/log; exit 1; }
echo "PostgreSQL answers $($bin/psql -h /scratch -U postgres -X -A -t -c 'SELECT 1' postgres)"
perl -e 'use IO::Socket::INET; IO::Socket::INET->new(PeerAddr => "127.0.0.1:5432", Timeout => 2) and exit 1; exit 0' && echo 'no network'
ls /etc/strongroom /run/credentials /var/lib/strongroom-drill >/dev/null 2>&1 || echo 'no keys'
$bin/pg_ctl -D /scratch/data -m fast -w stop >/dev/null && echo ended
SH
id=$(id -u)
echo "postgres:x:$id:$id::/nonexistent:/usr/sbin/nologin" >$scratch/passwd
bwrap --unshare-all --unshare-user --die-with-parent --new-session --hostname scratch --ro-bind /usr /usr \
  --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev \
  --perms 1777 --size 67108864 --tmpfs /tmp --perms 1777 --size 268435456 --tmpfs /dev/shm \
  --ro-bind $scratch/passwd /etc/passwd --bind $scratch /scratch --remount-ro /dev --remount-ro / --chdir / \
  --setenv PATH /usr/bin --setenv LC_ALL C -- /bin/sh /scratch/inside.sh
