// Package pvesim is a simulated Proxmox VE in one process: its API over any net.Listener, from a World that is loaded,
// generated or written by a test.
//
// State and protocol are apart. A [World] is what a cluster holds (nodes, guests, storages, tasks, users, ACLs)
// and knows no HTTP. A [Sim] is the daemons in front of it: routing, parameter verification, tickets and tokens,
// privilege checks, reason phrases, keep-alive manners, delays.
//
// # What is simulated
//
// Logins, API tokens, users, groups, roles, ACLs, realms, pools; virtual machines and containers with all of their
// configuration, pending changes, hotplug, disks and mount points, snapshots, clones, templates, power, cloud-init, guest
// agent; storages, volumes, uploads, backups, restores, pruning; tasks that run, are waited for, stopped and logged;
// configuration locks and lock files. [Patterns] lists every method. A path that is not simulated answers as an unknown path
// does, 501, never with made-up data.
//
// Beside guests and what they need: storages with uploads, downloads, image pulls from registries and copies of volumes; firewall,
// HA, SDN with fabrics, mappings, metric servers, notifications, replication, backup and realm-sync jobs that fire; consoles,
// SPICE viewers and second factors of logins; several nodes. Figures of made worlds move and agree everywhere (figuresnow.go).
//
// What it answers was learnt from recordings of a real Proxmox VE 9.2 (numbers such as 02/004 name an exchange of
// the shared recordings) and is replayed against them by package replay. Comments name what is known from the sources alone.
//
// # What is not
//
// No guest runs: what one does is a [Behaviour], and figures of load are made up. No file has content: sizes are kept, and of
// archives the configuration. OpenID and the parts of a node that are hardware are read at most; Ceph, ACME accounts, migration to
// other clusters, custom CPU models, and what the nodes' routing daemon knows (neighbours and routes of fabrics, VRFs, the dry run
// of SDN) are not there. Second factors are codes by time and for recovery. A backup server is no more than its storage: it holds
// no backups, so file restore finds none.
//
// # Time
//
// Nothing happens by itself. What is to happen (the next step of a task, the end of a shutdown) is an event of the world
// (events.go); whoever looks at the world next lets all happen that is due by the simulator's clock, in order and each at its
// own time. So a virtual clock works as a real one does, no goroutine outlives a test, and what nobody looks at costs nothing.
// Tasks are jobs of steps (job.go) and hold lock files (flock.go).
//
// # Adding an area
//
// Write a file with a function that gives its routes, made by get, post, put and del with the right that each needs, and name
// it in areas (router.go). Add the methods' parameters to a table below tables/ (the notation is in table.go): they are
// checked before a method runs and after its rights; a test compares the tables with the real schema. A handler finds scalars
// as text, arrays as lists, and what is given as null as nil; it runs under the world's lock, returns errors by fail,
// badParam and forbidden, and starts tasks by fork. It replaces maps of the world and never edits them, since answers share
// them. Property strings are read and written by property.go, volumes made and found by volume.go. Then add the scenario to
// the table of package replay's tests.
//
// # Faults
//
// [ParseFault] names them by the numbers of the fault list; faults.go and its neighbours make them. They are selected by
// method, path, node or guest, combine, and repeat with the seed.
package pvesim
