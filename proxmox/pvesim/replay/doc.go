// Package replay sends recorded exchanges of a real Proxmox VE to a simulated one, in order, and compares the
// answers by the rules that the recordings come with (sections 4 to 6 of their README): status, reason phrase, media
// type and bodies, where lists are bags and marked paths are volatile, normalised or optional.
//
// Each scenario starts from its own world.json and gets its own simulator. Time is virtual: a pause, a
// poll and what the real server took for an answer advance the simulator's clock and nothing else does, so that results do not
// hang on how fast the machine is.
package replay
