// Package tools is the one table of what can be asked of proxmox-mcp. A tool is a value: a Spec with its name, tier, typed input and
// output and a handler of a few lines. Every door (MCP, command line, later REST) is made from All; nothing is declared twice.
//
// To add a tool: a file with its input struct, its handler and its view, one line in All, then UPDATE_GOLDEN=1 go test ./tools.
package tools
