// Package change is what will be: every write is planned, judged, recorded, sent once, followed, verified by reading back, and
// can be undone where it can. It knows nothing of tools or doors.
//
//	Propose  resolves the guests, reads each one live (config, status), lets the Action make steps out of that, adds what is lost and
//	         the blast radius, hashes the canonical form, asks Policy, keeps the plan, and answers plan and verdict.
//	Apply    takes a plan once; per step: lease on the guest, read again, compare identity, digest, lock and rules, journal the intent
//	         with its audit row, send once, journal the UPID, follow the task, read back, journal what was observed and the inverse.
//	Recover  re-attaches what a killed process left: it follows tasks, looks for lost answers in the task list and in the object,
//	         and never sends anything.
//	Undo     makes a plan out of the recorded inverses, refused where the object changed since.
//
// A plan's steps run in chains: those of one object in order, chains beside each other, unless a Chain joins steps about several objects
// (the image, then the guest that is made of it). A step's target is a guest that exists, one that the plan makes (New, Makes), or an object
// of another kind (kinds.go).
//
// Actions are pure: what they are given was read before, so dry run and apply build the same bytes.
package change
