// Package proxmoxmcp is the root of the module. It holds no code: the program is cmd/proxmox-mcp, the layout is in
// docs/ARCHITECTURE.md, and the test beside this file enforces which package may import which.
package proxmoxmcp
