// Package repo keeps a folder of generated code in step with what an emitter makes, beside a person's own edits. A file that nobody
// touched is rewritten; an edited one is merged with what was generated before and what is generated now, attribute by attribute in HCL,
// line by line elsewhere; where both changed the same, the person's stays and the conflict is reported. Files that this program did not
// write are never touched.
//
//	Open -> Plan (what would be written, nothing is) -> Write (atomic, each file whole or not at all) -> Git (init, commit)
//
// Beside the code lies .proxmox-mcp: manifest.json names each file with the hash of what was generated, base/ holds what was generated
// last (the middle of the three ways), world.json the cluster as it was then.
package repo
