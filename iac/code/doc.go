// Package code is a cluster's code as its owner has it: exported from the store into a folder, compared with that folder and with the
// cluster as it is now, shown for one guest, and judged by terraform or tofu. It asks Proxmox VE nothing; only terraform does, when it
// plans.
package code
