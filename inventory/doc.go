// Package inventory answers what is: it keeps the state of Proxmox VE clusters in the store by full syncs and ticks, and answers
// every read from there, dated, with what is not known named. It owns the rules of truth (facts: faults.md I1, I3): a silent node
// makes its guests unknown, never gone; names change only on the word of a configuration; a guest is gone only when Proxmox VE
// says that its configuration does not exist.
//
// The way of a read: freshness.go decides whether the store is young enough and asks for a sync if not, projection.go brings the
// in-memory rows up to the store's generation, and guests.go, guest.go, overview.go, tasks.go and health.go build the answer.
// The way of a sync: flight.go runs one at a time per cluster under a lease, sync_full.go and sync_tick.go read, apply.go,
// vanished.go and identity.go decide what that means, writer.go records it in batches.
package inventory
