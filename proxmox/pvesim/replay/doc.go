// Package replay sends recorded exchanges of a real Proxmox VE to a simulated one, in order, and compares the
// answers by the rules that the recordings come with (sections 4 to 6 of their README): status, reason phrase, media
// type and bodies, where lists are bags and marked paths are volatile, normalised or optional.
//
// Each scenario starts from its own world.json and gets its own simulator. Waiting is virtual: a pause or a poll
// advances the simulator's clock, so that a scenario takes as long as its requests take to be answered.
package replay
