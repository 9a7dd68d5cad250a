# Sourced by run and reuse: a throwaway PostgreSQL and a throwaway Ceph gateway below $WORK, and their end.

find_postgres() { # BIN and MAJOR: the tests' 17, else what Debian 12 has
  for MAJOR in 17 15; do
    for BIN in "$CACHE/pg$MAJOR/usr/lib/postgresql/$MAJOR/bin" "/usr/lib/postgresql/$MAJOR/bin"; do
      [ ! -x "$BIN/initdb" ] || return 0
    done
  done
  die "no PostgreSQL 17 or 15: run tests/support/setup test"
}

# PostgreSQL refuses to run as root
as_owner() { if [ "$(id -u)" = 0 ]; then (cd / && setpriv --reuid postgres --regid postgres --init-groups --inh-caps=-all "$@"); else "$@"; fi; }

postgres_make() {
  mkdir "$PG"; [ "$(id -u)" != 0 ] || chown postgres: "$PG"
  as_owner "$BIN/initdb" --auth=trust --username=postgres --encoding=UTF8 --locale=C.UTF-8 --no-sync --pgdata "$PG/data" >/dev/null
}
postgres_start() { # more -c settings
  as_owner "$BIN/pg_ctl" start --wait --silent --pgdata "$PG/data" --log "$PG/log" \
    --options "-c listen_addresses='' -c unix_socket_directories='$PG' -c shared_buffers=512MB -c autovacuum=off $*" ||
    { tail -n 5 "$PG/log" >&2; die "PostgreSQL does not start"; }
}
postgres_stop() { [ ! -e "$PG/data/postmaster.pid" ] || as_owner "$BIN/pg_ctl" stop --wait --silent --mode="$1" --pgdata "$PG/data"; }
sql() { "$BIN/psql" -XqAt -v ON_ERROR_STOP=1 "$@"; }

generate() { # the same rows at every run, written without care, as they can be written again
  local part other
  postgres_start -c fsync=off -c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=16GB -c maintenance_work_mem=512MB
  sql -d postgres -c 'CREATE ROLE strongroom LOGIN BYPASSRLS' -c 'GRANT pg_read_all_data TO strongroom' -c 'CREATE DATABASE shop'
  part() { sql -d shop -v "scale=$SCALE" -v "step=$1" -f "$HERE/generate.sql"; }
  part schema
  part events & other=$!
  part rows; wait "$other"
  part keys
  postgres_stop fast; sync
  postgres_start
}

gateway_start() { # an S3 server, and a bucket that locks for a day
  local port
  for _ in 1 2 3 4 5; do
    port=$(shuf -i 20000-29999 -n 1)
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  RGW_STORE=bluestore RGW_DISK=60G "$SUPPORT/rgw-up" "$WORK/rgw" "$port" >"$WORK/rgw.env"
  # shellcheck disable=SC1091
  . "$WORK/rgw.env"
  PORT=$port
  s3_put /vault x-amz-bucket-object-lock-enabled:true ''
  s3_put '/vault?object-lock' '' '<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>'
}

# No S3 client of Debian 12 makes a bucket with Object Lock but the AWS one, which is large; a request is a few lines.
# Signed as of old, which Ceph still takes; it leaves ?object-lock out of what it signs.
s3_put() { # path, one x-amz header or nothing, body
  local date md5 sign status
  date=$(date -u '+%a, %d %b %Y %H:%M:%S GMT')
  md5=$(printf %s "$3" | openssl dgst -md5 -binary | base64)
  sign=$(printf 'PUT\n%s\n\n%s\n%s%s' "$md5" "$date" "${2:+$2$'\n'}" "${1%%\?*}" | openssl dgst -sha1 -hmac "$AWS_SECRET_ACCESS_KEY" -binary | base64)
  exec 3<>"/dev/tcp/127.0.0.1/$PORT"
  printf 'PUT %s HTTP/1.0\r\nHost: 127.0.0.1\r\nDate: %s\r\nContent-MD5: %s\r\nAuthorization: AWS %s:%s\r\n%sContent-Length: %d\r\n\r\n%s' \
    "$1" "$date" "$md5" "$AWS_ACCESS_KEY_ID" "$sign" "${2:+$2$'\r\n'}" "${#3}" "$3" >&3
  status=$(cat <&3); exec 3>&-
  [[ $status == HTTP/1.*\ 200* ]] || die "PUT $1: $status"
}

init() { # name, options: a folder of configurations, with two workers and the keys filled in
  local config=$WORK/$1 role; shift
  "$STRONGROOM" init "$config" --yes --term 1d --source "shop=postgres://strongroom@/shop?host=$PG" "$@" >/dev/null
  printf 'workers = 2\nclient_path = ["%s"]\n' "$BIN" >>"$config/depositor.toml"
  printf 'client_path = ["%s"]\n' "$BIN" >>"$config/restorer.toml"
  for role in depositor inspector restorer reporter; do
    [ ! -e "$config/keys/$role.toml" ] || printf 'access_key_id = "%s"\nsecret_access_key = "%s"\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >"$config/keys/$role.toml"
  done
}

clean_up() {
  trap '' INT TERM
  [ ! -e "$PG" ] || postgres_stop immediate || true
  [ ! -e "$WORK/rgw/lock" ] || "$SUPPORT/rgw-down" "$WORK/rgw" --purge || true
  [ "$(id -u)" != 0 ] || [ ! -e "$WORK/vault" ] || chattr -R -f -i "$WORK/vault" || true
  rm -rf "$WORK"
}
