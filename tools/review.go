package tools

import "github.com/proxmox-mcp/proxmox-mcp/change"

// Review is a plan as every door shows it, for who decides about it.
func Review(d Deps, p change.Plan) Answer { return planOf(d, p, "") }
