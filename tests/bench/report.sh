# Sourced by run: medians of $RESULTS ("name wall cpu rss_kib" a line), and what is promised of them, as Markdown.

median() { awk -v n="$1" -v c="$2" '$1 == n { print $c }' "$RESULTS" | sort -g | awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
peak() { awk -v n="$1" '$1 == n && $4 > m { m = $4 } END { printf "%.0f", m / 1024 }' "$RESULTS"; }

row() { # name, words
  [ -n "$(median "$1" 2)" ] || return 0
  printf '| %s | %.2f | %.2f | %s | %s |\n' "$2" "$(median "$1" 2)" "$(median "$1" 3)" "$(peak "$1")" "$(awk -v n="$1" '$1 == n { printf "%.0f", $2 / 1048576 }' "$SIZES")"
}

target() { # words, value, at most
  [ "$2" != unknown ] || return 0
  awk -v w="$1" -v v="$2" -v t="$3" 'BEGIN { printf "| %s | %.2f | <= %s | %s |\n", w, v, t, (v <= t ? "met" : "**MISSED**") }'
}
over() { [ -n "$1" ] && [ -n "$2" ] && awk -v a="$1" -v b="$2" 'BEGIN { print (b > 0 ? a / b : 999) }' || echo unknown; }

report() {
  local words wall=2 cpu=3 heavy
  words=$([ "$MAJOR" -ge 16 ] && echo '--compress=zstd:1' || echo '--compress=1')
  heavy=$(sql -d shop -c "SELECT round(100 * max(pg_table_size(oid)) / sum(pg_table_size(oid))) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
  cat <<MD

## Strongroom beside the usual pipelines

$RAW MiB of rows as COPY sends them, in 6 tables, the largest with $heavy % of the bytes; medians of $RUNS runs, alternating; 2 workers.
CPU: user and system time of the clients, not of the servers. RSS: the largest process of the client, of all runs.

| | wall s | client CPU s | peak RSS MiB | stored MiB |
|---|---:|---:|---:|---:|
MD
  row s3-strongroom 'to S3: strongroom backup'
  row s3-plain 'to S3: pg_dump -Fc \| age \| rclone rcat ("plain")'
  row s3-tuned 'to S3: pg_dump -Fc -Z0 \| zstd -1 -T2 \| age \| rclone rcat ("tuned")'
  row s3-folder "to S3: pg_dump -Fd -j2 $words, then rclone copy (not encrypted)"
  row s3-custom "to S3: pg_dump -Fc $words \\| age \\| rclone rcat"
  row dir-strongroom 'to a directory: strongroom backup'
  row dir-custom "to a directory: pg_dump -Fc $words \\| age"
  row floor 'floor: 2 x COPY to /dev/null'
  row floor-packed 'floor: 2 x COPY \| zstd -1 \| age to /dev/null'
  row upload 'floor: rclone copy of a packed backup to S3'
  row restore-s3 'restore: strongroom from S3 (and compared)'
  row restore-dir 'restore: strongroom from the directory (and compared)'
  row drill-s3 'drill: restored from S3 into a scratch server of its own, and everything compared'
  row drill-dir 'drill: the same from the directory'
  row restore-plain 'restore: pg_restore -j2 from a local -Fd dump'
  printf '\n| ratio | measured | target | |\n|---|---:|---:|---|\n'
  target 'backup to S3: strongroom / plain, wall' "$(over "$(median s3-strongroom $wall)" "$(median s3-plain $wall)")" 0.35
  target 'backup to S3: strongroom / tuned, wall' "$(over "$(median s3-strongroom $wall)" "$(median s3-tuned $wall)")" 0.75
  target 'backup to S3: strongroom / (COPY, zstd, age), wall' "$(over "$(median s3-strongroom $wall)" "$(median floor-packed $wall)")" 1.2
  target 'backup to S3: strongroom / (COPY, zstd, age and upload), CPU' \
    "$(over "$(median s3-strongroom $cpu)" "$(awk -v a="$(median floor-packed $cpu)" -v b="$(median upload $cpu)" 'BEGIN { if (a && b) print a + b }')")" 1.2
  target 'restore: strongroom from S3 / pg_restore, wall' "$(over "$(median restore-s3 $wall)" "$(median restore-plain $wall)")" 1.0
  target 'restore: strongroom from a directory / pg_restore, wall' "$(over "$(median restore-dir $wall)" "$(median restore-plain $wall)")" 1.0
  target 'drill from S3 / plain restore from S3 into a server that runs, wall' "$(over "$(median drill-s3 $wall)" "$(median restore-s3 $wall)")" 1.2
  target 'drill from a directory / plain restore from it, wall' "$(over "$(median drill-dir $wall)" "$(median restore-dir $wall)")" 1.2
  target 'drill from a directory / pg_restore, which compares nothing, wall' "$(over "$(median drill-dir $wall)" "$(median restore-plain $wall)")" 1.2
  target 'peak RSS of strongroom, MiB' "$(printf '%s\n' "$(peak s3-strongroom)" "$(peak dir-strongroom)" "$(peak restore-s3)" "$(peak restore-dir)" | sort -g | tail -n 1)" 256
  cat <<MD

$(awk -F ': ' '/model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores, $(awk '/MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GiB; load average $LOAD before, $(cut -d' ' -f1-3 /proc/loadavg) after
$("$STRONGROOM" --version); $("$BIN/postgres" --version); $(age --version | sed 's/^v*/age /'); $(zstd --version | grep -o 'v[0-9.]*' | sed 's/^/zstd /'); $(rclone version | head -n 1); Ceph $(grep -m 1 '^radosgw_' "$CACHE/ceph20/versions" | cut -d_ -f2)
MD
}
