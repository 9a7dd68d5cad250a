# 2. A stream's plaintext: each receipt's very version, checked, decrypted; what comes out is one .zst stream.
plaintext() {
  jq -r --arg stream "$1" '.segments | map(select(.stream == $stream)) | sort_by(.ordinal)[]
    | [.key, .version, .md5] | @tsv' "$manifest" >"$work/receipts"
  [ -s "$work/receipts" ] || return 0
  while IFS=$'\t' read -r key version md5; do
    echo "$md5  $VAULT/$key@$version" | md5sum --check --quiet
    age --decrypt --identity "$IDENTITY" "$VAULT/$key@$version"
  done <"$work/receipts" | zstd --decompress --stdout --quiet
}

# 3. Roles and tablespaces. "already exists" is no problem; leave the last line out where the server has its roles.
plaintext globals >"$work/globals.sql"
psql -X -q -d "$DB" -f "$work/globals.sql"

# 4. The schema, the rows, sequences and large objects, then indexes, keys and triggers.
plaintext archive >"$work/archive.dump"
pg_restore --exit-on-error --section=pre-data -d "$DB" "$work/archive.dump"
plaintext data | psql -X -q -v ON_ERROR_STOP=1 -d "$DB"
pg_restore --exit-on-error --section=data -d "$DB" "$work/archive.dump"
pg_restore --exit-on-error --section=post-data -d "$DB" "$work/archive.dump"

# 5. Every table holds as many rows as the manifest's closed part says.
jq -r .closed "$manifest" | base64 --decode | age --decrypt --identity "$IDENTITY" | zstd -dcq |
  jq -r 'def quoted: "\"" + gsub("\""; "\"\"") + "\"";
    .tables[] | ((.schema | quoted) + "." + (.name | quoted)) as $table | .fingerprint.rows as $rows
    | (if .in_archive then "" else "ONLY " end) as $only
    | "SELECT count(*), \($rows) FROM \($only)\($table) HAVING count(*) <> \($rows);"' \
  >"$work/compare.sql"
differing=$(psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$DB" -f "$work/compare.sql")
[ -z "$differing" ] || { echo "row counts differ (found|expected): $differing" >&2; exit 1; }
echo "restored $BACKUP into $DB: all $(wc -l <"$work/compare.sql") tables have their rows"
