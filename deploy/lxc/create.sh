#!/bin/bash
# Puts proxmox-mcp into a small container of its own. Run it as root on a Proxmox VE node:
#   deploy/lxc/create.sh [--vmid N] [--storage S] [--templates S] [--bridge B] [--ip CIDR,gw=IP | dhcp] [--tier TIER] [--binary FILE]
# It makes an unprivileged Debian container (1 core, 256 MiB, 2 GiB), the role, user and token for the tier, and the service. The server
# knows the container it runs in, and never stops, changes or removes it. Nothing that exists is changed; --dry-run only prints.
set -euo pipefail

vmid='' storage=local-lvm templates=local bridge=vmbr0 ip=dhcp tier='' binary='' hostname=proxmox-mcp dry=
say() { printf '%s\n' "$*" >&2; }
fail() { say "create: $*"; exit 1; }
usage() { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case $1 in
    --vmid) vmid=${2:?}; shift 2 ;;
    --storage) storage=${2:?}; shift 2 ;;
    --templates) templates=${2:?}; shift 2 ;;
    --bridge) bridge=${2:?}; shift 2 ;;
    --ip) ip=${2:?}; shift 2 ;;
    --tier) tier=${2:?}; shift 2 ;;
    --binary) binary=${2:?}; shift 2 ;;
    --dry-run) dry=yes; shift ;;
    *) usage ;;
  esac
done
case $tier in '' | reversible | disruptive | destructive) ;; *) fail "--tier is reversible, disruptive or destructive" ;; esac

run() { if [ -n "$dry" ]; then printf '%q ' "$@"; echo; else "$@"; fi; }

if [ -z "$dry" ]; then
  for tool in pct pveam pveum pvesh; do command -v "$tool" >/dev/null || fail "$tool is missing: run this on a Proxmox VE node"; done
  [ "$(id -u)" = 0 ] || fail "run this as root"
fi
if [ -z "$binary" ]; then
  binary=$(command -v proxmox-mcp || true)
  [ -n "$binary" ] || fail "give the program with --binary, or install it first (deploy/install.sh)"
fi
[ -f "$binary" ] || fail "$binary is no file"
if [ -z "$vmid" ]; then
  if [ -n "$dry" ]; then vmid=100; else vmid=$(pvesh get /cluster/nextid); fi
fi

template() { # the newest Debian 13 or 12 template that is there, else the newest that can be had
  local have name
  have=$(pveam list "$templates" | awk '/vztmpl\/debian-1[23]-standard/ { print $1 }' | sort -V | tail -n 1)
  if [ -z "$have" ]; then
    pveam update >&2
    name=$(pveam available --section system | awk '$2 ~ /^debian-1[23]-standard/ { print $2 }' | sort -V | tail -n 1)
    [ -n "$name" ] || fail "no Debian template can be had"
    pveam download "$templates" "$name" >&2
    have=$templates:vztmpl/$name
  fi
  printf '%s\n' "$have"
}

if [ -n "$dry" ]; then ostemplate=$templates:vztmpl/debian-13-standard.tar.zst; else ostemplate=$(template); fi
run pct create "$vmid" "$ostemplate" --hostname "$hostname" --unprivileged 1 --cores 1 --memory 256 --swap 256 \
  --rootfs "$storage:2" --net0 "name=eth0,bridge=$bridge,ip=$ip" --onboot 1 --tags mcp --description "proxmox-mcp, an MCP server for this cluster"
run pct start "$vmid"
run pct push "$vmid" "$binary" /usr/bin/proxmox-mcp --perms 0755
here=$(cd "$(dirname "$0")/.." && pwd)
run pct push "$vmid" "$here/systemd/proxmox-mcp.service" /etc/systemd/system/proxmox-mcp.service --perms 0644
run pct push "$vmid" "$here/systemd/proxmox-mcp.sysusers" /usr/lib/sysusers.d/proxmox-mcp.conf --perms 0644
run pct push "$vmid" "$here/systemd/postinstall.sh" /root/postinstall.sh --perms 0755
run pct exec "$vmid" -- /root/postinstall.sh

# Role, user and token are those that setup --recipe proposes; what exists already stays as it is.
recipe=("$binary" setup --recipe)
if [ -n "$tier" ]; then recipe+=(--allow "$tier"); fi
"${recipe[@]}" | while IFS= read -r line; do
  case $line in
    'pveum '*) ;;
    *) continue ;;
  esac
  if [ -n "$dry" ]; then printf '%s\n' "$line"; continue; fi
  say "+ $line"
  # The lines are this program's own, with no text from anywhere else.
  bash -c "$line" || say "  (it may exist already)"
done

say
say "Note the token's value above, then connect the cluster, in the container:"
say "  pct enter $vmid"
say "  runuser -u proxmox-mcp -- env XDG_CONFIG_HOME=/var/lib XDG_STATE_HOME=/var/lib proxmox-mcp setup --clients none"
say "  runuser -u proxmox-mcp -- env XDG_CONFIG_HOME=/var/lib XDG_STATE_HOME=/var/lib proxmox-mcp token create NAME"
say "  systemctl enable --now proxmox-mcp"
say "It listens on the container's loopback. To reach it, forward the port: ssh -L 8811:127.0.0.1:8811 root@CONTAINER"
