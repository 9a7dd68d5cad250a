#!/bin/bash
# by-hand.sh: one backup into an empty database, without Strongroom. It writes to that database and to a temporary folder.
set -euo pipefail
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

@SETTINGS@
PUBKEY=$work/signing.pub
cat >"$PUBKEY" <<'END'
@PUBKEY@
END

# 0. What lies in the vault, hidden or not: time, key, version, the oldest first.
VAULT=$work/vault
if [ -n "$BUCKET" ]; then
  s3api() { aws ${ENDPOINT:+--endpoint-url "$ENDPOINT"} --region "$REGION" s3api "$@"; }
  versions() {
    s3api list-object-versions --bucket "$BUCKET" --prefix "$PREFIX$1" \
      --query 'Versions[].[LastModified,Key,VersionId]' --output text | sed "s|\t$PREFIX|\t|; /^None/d" | sort
  }
  get() { # key, version, file
    mkdir -p "$(dirname "$3")"
    # A version id may begin with a hyphen: only after = is it no option.
    s3api get-object --bucket "$BUCKET" --key="$PREFIX$1" --version-id="$2" "$3" >/dev/null
  }
else
  versions() { (cd "$FOLDER" && find "$1" -type f -name '*@*') | sed -E 's|^(.*)@([^-]*)(.*)$|\2\t\1\t\2\3|' | sort; }
  get() { mkdir -p "$(dirname "$3")" && ln -s "$FOLDER/$1@$2" "$3"; }
fi

# 1. The newest backup whose seal verifies, and that did not look wiped when it was taken; or the one that BACKUP names.
# The vault's clock decides which is the newest: names and manifests say what their writer liked.
versions "v1/$SOURCE/backups/" >"$work/versions"
newest() {
  sed -nE 's|^([^\t]*)\tv1/[^/]*/backups/([0-9]{8}T[0-9]{6}Z-[0-9a-f]{8})/manifest\.json\.minisig\t.*|\1 \2|p' "$work/versions" |
    awk '!seen[$2]++' | sort -r | cut -d ' ' -f 2
}
found=
for backup in ${BACKUP:-$(newest)}; do
  for file in manifest.json manifest.json.minisig; do
    awk -F '\t' -v key="v1/$SOURCE/backups/$backup/$file" '$2 == key && n++ < 20' "$work/versions" >"$work/oldest"
    while IFS=$'\t' read -r modified key version; do get "$key" "$version" "$VAULT/$key@$modified-$version"; done <"$work/oldest"
  done
  for manifest in "$VAULT/v1/$SOURCE/backups/$backup"/manifest.json@*; do
    for seal in "$VAULT/v1/$SOURCE/backups/$backup"/manifest.json.minisig@*; do
      minisign -V -q -p "$PUBKEY" -m "$manifest" -x "$seal" >/dev/null 2>&1 || continue
      jq -e --arg source "$SOURCE" --arg backup "$backup" \
        '(.format == 1 or .format == 2) and .source == $source and .backup == $backup' "$manifest" >/dev/null || continue
      found=$backup
      break 2
    done
  done
  [ -n "$found" ] || { echo "passed over $backup: no manifest and seal of it verify" >&2; continue; }
  suspect=$(jq -r '.suspect // [] | join(" ")' "$manifest")
  [ -n "$suspect" ] && [ -z "${BACKUP:-}" ] || break
  echo "passed over $backup: its data looked wiped ($suspect); BACKUP=$backup takes it all the same" >&2
  found=
done
[ -n "$found" ] || { echo "no backup of $SOURCE in $FROM verifies" >&2; exit 1; }
BACKUP=$found
echo "taking $BACKUP, of $(jq -r .snapshot_at "$manifest")" >&2
minisign -V -p "$PUBKEY" -m "$manifest" -x "$seal" >&2
jq -r '.segments[] | [.key, .version] | @tsv' "$manifest" | sort -u >"$work/segments"
while IFS=$'\t' read -r key version; do get "$key" "$version" "$VAULT/$key@$version"; done <"$work/segments"
