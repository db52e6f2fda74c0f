// Package resources offers what the tools answer under addresses: pve://CLUSTER/overview, /guests/VMID, /nodes/NODE, /storage/ID, /tasks/UPID,
// /health, /operations and /code/PATH, and this program's own pages under pve://docs/NAME. A read is a call of the tool with fixed arguments and
// its compact text; nothing is asked or rendered twice. Clients may subscribe: one follower of the inventory serves them all.
package resources
