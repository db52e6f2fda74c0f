package change

import "cmp"

// Ownerless stands in the place of the program's name where nobody could run it on the same state: the demo's is gone with its process.
const Ownerless = "-"

// OwnerRuns is what the owner does on a terminal, for hints: program is how this one is started in a shell, "" proxmox-mcp.
func OwnerRuns(program, command string) string {
	if program == Ownerless {
		return "this demo has no owner who could: its --allow TIER sets what runs, proxmox-mcp demo --story change shows an approval"
	}
	return "its owner runs: " + cmp.Or(program, "proxmox-mcp") + " " + command
}
