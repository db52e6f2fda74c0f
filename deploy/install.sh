#!/bin/sh
# Installs proxmox-mcp from its releases, after its checksum was compared:
#   curl -fsSL https://raw.githubusercontent.com/proxmox-mcp/proxmox-mcp/main/deploy/install.sh | sh
#   VERSION  such as 1.2.3 (default: the latest release)     BIN_DIR  where to (default: ~/.local/bin, or /usr/local/bin as root)
# With cosign on the machine the signature of the checksums is verified too.
set -eu

repository=proxmox-mcp/proxmox-mcp
releases=${RELEASES:-https://github.com/$repository/releases} # another place, for a mirror

say() { printf '%s\n' "$*" >&2; }
fail() { say "install: $*"; exit 1; }
need() { command -v "$1" >/dev/null 2>&1 || fail "$1 is missing"; }

get() { # URL FILE
  if command -v curl >/dev/null 2>&1; then
    curl --proto '=https' --tlsv1.2 -fsSL -o "$2" "$1"
  else
    need wget
    wget -q --https-only -O "$2" "$1"
  fi || fail "cannot fetch $1"
}

platform() {
  case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) fail "no release for $(uname -s): see https://github.com/$repository" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) fail "no release for $(uname -m): go install github.com/$repository/cmd/proxmox-mcp@latest" ;;
  esac
}

sum() { # FILE
  if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else need shasum; shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

latest() { # the release page of the latest one redirects to its tag
  get "$releases/latest/download/checksums.txt" "$tmp/latest.txt"
  sed -n 's/^[0-9a-f]\{64\}  proxmox-mcp_\([0-9][^_]*\)_linux_amd64\.tar\.gz$/\1/p' "$tmp/latest.txt" | head -n 1
}

main() {
  need tar
  platform
  tmp=$(mktemp -d)
  trap 'rm -rf "$tmp"' EXIT
  version=${VERSION:-$(latest)}
  version=${version#v}
  case $version in '' | *[!0-9A-Za-z.+-]*) fail "there is no version to install" ;; esac
  archive=proxmox-mcp_${version}_${os}_${arch}.tar.gz
  get "$releases/download/v$version/$archive" "$tmp/$archive"
  get "$releases/download/v$version/checksums.txt" "$tmp/checksums.txt"

  if command -v cosign >/dev/null 2>&1; then
    get "$releases/download/v$version/checksums.txt.sigstore.json" "$tmp/checksums.txt.sigstore.json"
    cosign verify-blob --bundle "$tmp/checksums.txt.sigstore.json" \
      --certificate-identity-regexp "^https://github.com/$repository/" \
      --certificate-oidc-issuer https://token.actions.githubusercontent.com "$tmp/checksums.txt" >&2 || fail "the signature of the checksums is not right"
  fi
  want=$(awk -v f="$archive" '$2 == f { print $1 }' "$tmp/checksums.txt")
  [ -n "$want" ] || fail "checksums.txt does not name $archive"
  have=$(sum "$tmp/$archive")
  [ "$want" = "$have" ] || fail "the checksum of $archive is $have, and $want was promised; nothing was installed"

  dir=${BIN_DIR:-}
  if [ -z "$dir" ]; then
    if [ "$(id -u)" = 0 ]; then dir=/usr/local/bin; else dir=$HOME/.local/bin; fi
  fi
  tar -xzf "$tmp/$archive" -C "$tmp" proxmox-mcp
  mkdir -p "$dir"
  install -m 0755 "$tmp/proxmox-mcp" "$dir/.proxmox-mcp.new"
  mv "$dir/.proxmox-mcp.new" "$dir/proxmox-mcp" # at once: servers that run keep the old file
  say "proxmox-mcp $version is in $dir; next: proxmox-mcp setup"
  case ":$PATH:" in *":$dir:"*) ;; *) say "$dir is not in PATH: add it, or call $dir/proxmox-mcp" ;; esac
}

main "$@" # at the end: a download that was cut off runs nothing
