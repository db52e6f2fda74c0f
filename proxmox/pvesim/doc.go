// Package pvesim is a simulated Proxmox VE in one process: the whole API surface that this project reads, over
// any net.Listener, from a World that is loaded, generated or written by a test.
//
// State and protocol are apart. A [World] is what a cluster holds (nodes, guests, storages, tasks, users, ACLs)
// and knows no HTTP. A [Sim] is the daemons in front of it: routing, parameter verification, tickets and tokens,
// privilege checks, reason phrases, keep-alive manners. Each API area is one file with its routes; see router.go.
//
// The parameters of every method stand in tables/*.txt (see table.go), or come from a schema file (see [Schema]); they
// are checked before a method runs and after its rights. A method's handler finds scalars as text, arrays as lists, and
// what is given as null as nil. Values that are property strings are read and written by property.go.
//
// What it answers was learnt from recordings of a real Proxmox VE 9.2 (numbers such as 02/004 name an exchange of
// the shared recordings) and is replayed against them by package replay. An API path that it does not implement
// answers as an unknown path does, 501, never with made-up data.
//
// Faults (faults.go and its neighbours) make it fail as real nodes fail, selected by method, path, node or guest.
package pvesim
