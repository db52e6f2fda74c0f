// Package server is the MCP door: one factory that makes the MCP server out of the tool table, and the transports that admit
// clients to it. It holds the guards (strict JSON-RPC, deadlines, panics, principals) and knows neither Proxmox VE nor SQL.
package server
