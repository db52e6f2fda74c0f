package pve

import "strings"

// Spins says that the disk has, or may have, a motor that stops when idle: asking such a disk for its health may wake it (faults.md F50).
func (d DiskRow) Spins() bool { return d.Type != "nvme" && d.Type != "ssd" }

// SMART is GET /nodes/{n}/disks/smart: attributes for ATA disks, text for others (schema: nodes/disks/smart).
type SMART struct {
	Health     Text             `json:"health"`
	Type       Text             `json:"type"`
	Attributes []SMARTAttribute `json:"attributes"`
	Text       Text             `json:"text"`
}

// SMARTAttribute is one row of an ATA disk's table; Raw counts what Name says.
type SMARTAttribute struct {
	Name  Text `json:"name"`
	Value Text `json:"value"` // normalised: 100 or so when new, less when worse
	Raw   Text `json:"raw"`
	Fail  Text `json:"fail"` // "-" while above its threshold
}

// ReplicationJob is a row of GET /cluster/replication (no state) and of GET /nodes/{n}/replication (with it).
type ReplicationJob struct {
	ID        Text  `json:"id"`
	Guest     Int   `json:"guest"`
	Source    Text  `json:"source"`
	Target    Text  `json:"target"`
	Disable   *Bool `json:"disable"`
	FailCount *Int  `json:"fail_count"`
	Error     Text  `json:"error"`
	LastSync  *Int  `json:"last_sync"`
	LastTry   *Int  `json:"last_try"`
}

// HAEntry is a row of GET /cluster/ha/status/current (02/026): the quorum, the manager, a node's local manager or a service.
type HAEntry struct {
	ID           Text `json:"id"`
	Type         Text `json:"type"` // quorum, master, lrm, service, fencing
	Node         Text `json:"node"`
	SID          Text `json:"sid"`
	Status       Text `json:"status"`
	State        Text `json:"state"`
	CRMState     Text `json:"crm_state"`
	RequestState Text `json:"request_state"`
	Timestamp    *Int `json:"timestamp"`
}

// Failing says that the disk itself reports failure; a disk that does not tell is not failing.
func Failing(health string) bool {
	h := strings.ToUpper(health)
	return h != "" && h != "PASSED" && h != "OK" && h != "UNKNOWN"
}
