#!/usr/bin/env bash
# Prints the path of nats-server 2.10.27, which can have JetStream write each message to disk before it acknowledges it
# (sync_interval: always): tests/bench/stored/nats_server.sh [--cached]
#
# Debian 12 has 2.9, which cannot. This gets the package of Debian 13 from the mirror that apt uses here, and unpacks it
# into the cache folder without installing it. Does nothing if it is there already; with --cached, it fails if it is not.
set -euo pipefail

version=2.10.27
suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
cache=${MQ_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mq-tools}
folder=$cache/nats-server-$version
program=$folder/usr/sbin/nats-server

die() {
  echo "nats_server.sh: $1" >&2
  exit 1
}

# The first mirror of apt with Debian itself: "deb [options] URI SUITE ..." or "URIs: URI".
mirror() {
  { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
    sed -nE '/^(deb( +\[[^]]*\])?|URIs:) +(https?:[^ ]+\/debian)\/?( .*)?$/{s//\3/p;q}'
}

# apt with folders and sources of its own, so that nothing of the system changes.
apt_here() {
  "$1" -qq -o Dir::Etc::sourcelist="$temp/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State="$temp/state" \
    -o Dir::Cache="$temp/cache" -o APT::Sandbox::User= -o Acquire::Languages=none "${@:2}"
}

download() {
  mkdir -p "$temp/state/lists/partial" "$temp/cache/archives/partial"
  echo "deb [signed-by=$keyring] $1 $suite main" >"$temp/sources.list"
  apt_here apt-get update >&2 || die "apt cannot read the packages of $suite from $1."
  (cd "$temp" && apt_here apt-get download "nats-server=$version*" >&2) || die "$suite has no nats-server $version."
}

if [ ! -x "$program" ]; then
  [ "${1:-}" != --cached ] || die "nats-server $version is not in $cache."
  [ -r "$keyring" ] || die "there is no $keyring to check the package with."
  uri=$(mirror)
  [ -n "$uri" ] || die "apt has no mirror of Debian here."
  mkdir -p "$cache" || die "cannot make the cache folder $cache."
  # Inside the cache, so that the last step is a rename within one file system.
  temp=$(mktemp -d "$cache/nats-server.XXXXXX") || die "cannot write to the cache folder $cache."
  trap 'rm -rf "$temp"' EXIT
  echo "nats_server.sh: getting nats-server $version of Debian $suite (5 MB)" >&2
  download "$uri"
  dpkg -x "$temp"/nats-server_*.deb "$temp/unpacked"
  "$temp/unpacked/usr/sbin/nats-server" --version >/dev/null || die "nats-server $version does not run here."
  rm -rf "$folder"
  mv "$temp/unpacked" "$folder"
fi

echo "$program"
