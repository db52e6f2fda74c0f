// Package store is the only place that speaks SQL: the state that every process of this program shares. It keeps objects as Proxmox
// VE last showed them, every version of their content (by hash, so an unchanged sync adds no row), what happened to them, tasks, sync
// runs and leases. SQLite (one file, WAL) is the usual engine, PostgreSQL the one for several machines; what is particular to each sits
// behind the engine interface (engine.go, sqlite*.go, postgres*.go), and both pass the same suite (storetest). Times are stored as
// Unix milliseconds UTC, 0 = never.
//
// Every error is a *fault.Error: StoreNewer, StoreCorrupt, StoreFull, StoreReadOnly, Fenced, or Store (retryable when another
// process held the database too long).
package store
