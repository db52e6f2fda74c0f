#!/bin/sh
# After the .deb was unpacked: the service's user. The service is not started: it has no cluster yet.
set -eu
if command -v systemd-sysusers >/dev/null; then
  systemd-sysusers proxmox-mcp.conf
fi
install -d -m 0700 -o proxmox-mcp -g proxmox-mcp /var/lib/proxmox-mcp
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
fi
cat <<'TEXT'
proxmox-mcp: connect a cluster with
  runuser -u proxmox-mcp -- env XDG_CONFIG_HOME=/var/lib XDG_STATE_HOME=/var/lib proxmox-mcp setup --clients none
make a token for each client (without one every user of this machine may call it) with
  runuser -u proxmox-mcp -- env XDG_CONFIG_HOME=/var/lib XDG_STATE_HOME=/var/lib proxmox-mcp token create NAME
and start the service with
  systemctl enable --now proxmox-mcp
TEXT
