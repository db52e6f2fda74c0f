// Package e2e runs the built program as its users do: the MCP Inspector and the TypeScript SDK clients over stdio, the command line,
// a world recorded from a real Proxmox VE. It holds tests only; npm packages come from package.json (make e2e-deps).
package e2e
