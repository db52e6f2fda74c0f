// Package e2e runs the built program as its users do: the MCP Inspector and the TypeScript SDK clients over stdio, the command line,
// a world recorded from a real Proxmox VE. And it lets clients that nobody here wrote drive the simulated Proxmox VE, unchanged:
// go-proxmox, Terraform with the provider bpg/proxmox, proxmoxer, Ansible's inventory plugin, curl.
//
// It holds tests only. What they drive comes from package.json and tools/go.mod (make e2e-deps) and from the system's packages
// (.ci/run). A program that is missing skips its tests, or fails them where CI is set.
package e2e
