# Sourced by pgroot and rgw-fetch: unpacks packages of any Debian suite without installing them.
# apt gets a state of its own, so neither the machine's sources nor its packages change, and no root is needed.
# Packages come from the mirrors that this machine is set up with; apt checks their signatures.

debian_die() { echo "${0##*/}: $*" >&2; exit 1; }

# debian_unpack WORK ROOT SUITE PATTERN PACKAGE...
# Resolves PACKAGES with all they depend on (libc included), downloads those whose name matches the Perl
# expression PATTERN, and unpacks them under ROOT. WORK is an empty directory; its debs/ keeps what was downloaded.
debian_unpack() {
  local work=$1 root=$2 suite=$3 pattern=$4 label uri mirror='' security='' apt wanted deb; shift 4
  while read -r label uri; do
    case $label in Debian) mirror=${mirror:-$uri} ;; Debian-Security) security=${security:-$uri} ;; esac
  done < <(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages')
  [ -n "$mirror" ] || debian_die "apt knows no Debian mirror here, $* (suite $suite) cannot be had: run 'apt-get update', or see apt's sources.list"

  mkdir -p "$work"/{parts,state/lists/partial,cache/archives/partial,debs} "$root"
  : >"$work/status"
  local signed="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
  echo "deb $signed $mirror $suite main" >"$work/sources.list"
  # unstable and testing get their security updates directly
  case $suite in sid | forky) ;; *) [ -z "$security" ] || echo "deb $signed $security $suite-security main" >>"$work/sources.list" ;; esac
  apt=(timeout 900 apt-get -qq
    -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts="$work/parts"
    -o Dir::Etc::Preferences="$work/none" -o Dir::Etc::PreferencesParts="$work/parts"
    -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache"
    -o Debug::NoLocking=1 -o APT::Sandbox::User= -o APT::Install-Recommends=0 -o Acquire::Languages=none
    -o Acquire::http::Timeout=60 -o Acquire::https::Timeout=60 -o Acquire::Retries=2)
  "${apt[@]}" -o APT::Update::Error-Mode=any update </dev/null >"$work/log" 2>&1 ||
    { tail -n 5 "$work/log" >&2; debian_die "no package list of Debian $suite for $*: is the network up, does the mirror carry $suite, is debian-archive-keyring current?"; }
  wanted=$("${apt[@]}" --print-uris install "$@" 2>"$work/log" | sed -n "s/^'[^']*' \([^_]*\)_.*/\1/p" | grep -P "$pattern") ||
    { tail -n 5 "$work/log" >&2; debian_die "Debian $suite has no installable $* any more"; }
  # shellcheck disable=SC2086 # one word per package
  (cd "$work/debs" && "${apt[@]}" download $wanted </dev/null) >"$work/log" 2>&1 ||
    { tail -n 5 "$work/log" >&2; debian_die "$* of Debian $suite could not be downloaded: is the network up? run this again"; }
  for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$root"; done
  for deb in lib lib64 bin sbin; do [ ! -d "$root/$deb" ] || debian_die "Debian $suite still ships files outside /usr: not supported"; done
}

# debian_versions WORK: the packages that debian_unpack unpacked, one "name_version" a line.
debian_versions() { (cd "$1/debs" && ls) | sed -E 's/%3a/:/; s/_[a-z0-9]+\.deb$//' | sort; }

# debian_libraries ROOT FILE...: the libraries of ROOT that FILES load, with ROOT's own loader; fails if one is missing.
debian_libraries() {
  local root=$1 lib loader file list; shift
  lib=$(echo "$root"/usr/lib/*-linux-gnu) loader=$(debian_loader "$root")
  list=$(for file in "$@"; do "$loader" --library-path "$lib:$lib/ceph" --list "$file" 2>&1 || true; done)
  ! grep 'not found' <<<"$list" | sort -u >&2 || debian_die "libraries are missing from the packages of $root"
  grep -o "=> $lib/[^ ]* " <<<"$list" | awk '{print $2}' | sort -u
}
debian_loader() { local f; for f in "$1"/usr/lib64/ld-linux-*.so.* "$1"/usr/lib/ld-linux-*.so.*; do [ ! -e "$f" ] || { echo "$f"; return; }; done; debian_die "no loader under $1"; }
