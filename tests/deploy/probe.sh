#!/bin/sh
# What a service finds inside its sandbox, one fact a line.
set -u
grep -E '^(NoNewPrivs|Seccomp|CapEff|CapBnd|CapAmb):' /proc/self/status | tr -s '\t ' ' '
echo "user $(id -un)"
tries() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "$name yes"; else echo "$name no"; fi; }
tries writes-usr touch /usr/probe
tries writes-etc touch /etc/strongroom/probe
tries writes-vault touch /srv/strongroom/probe
tries writes-state touch /var/lib/strongroom/probe
tries reads-keys cat /etc/strongroom/keys/signing.key
tries reads-config cat /etc/strongroom/depositor.toml
tries reads-credential cat "$CREDENTIALS_DIRECTORY/keys_signing.key"
tries sees-others ls /proc/1
tries sees-sysctl ls /proc/sys
tries sees-own-descriptors ls /proc/self/fd/0
tries new-namespace unshare --user true
tries mounts mount -t tmpfs none /var/lib/strongroom
tries sees-disks ls /dev/kmsg
tries other-family perl -e 'use Socket; socket(my $s, 16, SOCK_RAW, 0) or exit 1'
tries internet-family perl -e 'use Socket; socket(my $s, AF_INET, SOCK_STREAM, 0) or exit 1'
tries unix-family perl -e 'use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0) or exit 1'
rm -f /var/lib/strongroom/probe /srv/strongroom/probe
echo "umask $(umask)"
echo "core $(ulimit -c)"
