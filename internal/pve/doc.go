// Package pve holds the words of the Proxmox VE domain and their parsing: guests, nodes, storages, tasks (UPID), volume ids,
// property strings and the loosely typed scalars of the API. It does no I/O and imports nothing of this project but internal/lazy, so that the
// client fills these types, the store keeps them and the domain packages speak them.
package pve
