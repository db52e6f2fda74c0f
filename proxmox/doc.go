// Package proxmox is the only way to Proxmox VE: a pooled, polite HTTP client for its API, with typed reads, one error form, an own
// task waiter, and go-proxmox's types on the same transport.
//
// A Pool holds one Client per cluster. A Client speaks to several endpoints of one cluster through a chain of small
// http.RoundTrippers, one per file, outermost first:
//
//	judge    refuses foreign hosts and unsafe paths, turns every non-2xx answer into *APIError and every lost answer into a fault
//	memo     remembers for a while what this server does not have (501) or does not allow (403)
//	retry    repeats GETs with jitter inside the caller's deadline; a write is sent once
//	limit    at most 2 requests in flight per node, 3 while a user waits, 1 that may block
//	breaker  asks a silent node once per interval instead of with every call
//	body     gives each try a deadline and reads the answer whole: a prefix is never parsed
//	auth     API token, or ticket with single-flight renewal
//	wire     read-only guard, counting, endpoint failover; below it an http.Transport per endpoint with its own trust
//
// The facts behind the numbers are in facts/faults.md (section 3) and facts/pve-api.md of the shared folder; recordings are named by
// scenario and number, such as 02/004.
package proxmox
