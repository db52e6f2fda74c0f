package store

import (
	"encoding/json"
	"time"
)

// Plan is a planned change as it is kept: what package change hashed (Body), who asked for it, and how far it is. A plan is
// single-use: MovePlan lets it leave a state once. Owner is the run that applies it, by the name of its lease "plan/<id>".
type Plan struct {
	ID        string // p- and eight letters, made from Hash
	Hash      string // SHA-256 of Body, hexadecimal
	Cluster   string
	Requester string // principal: local:1000, token:ci, operator
	Tool      string
	Title     string // one line for lists
	Tier      int    // of its highest step
	State     string // see package change
	Body      json.RawMessage
	Outcome   json.RawMessage // what was observed, "" while nothing was
	Note      string          // why it was rejected, refused or stopped
	Approver  string
	UndoOf    string // id of the plan that this one undoes
	Created   time.Time
	Expires   time.Time
	Approved  time.Time
	Began     time.Time
	Ended     time.Time
	Owner     string
}

// PlanFilter selects plans, newest first.
type PlanFilter struct {
	Cluster   string // "" = any
	Requester string
	States    []string // empty = any
	Hash      string
	UndoOf    string
	Since     time.Time // created at or after
	Limit     int       // 0 = 50
}

// PlanMove changes a plan's state. Zero fields of what it sets stay as they are. It happens only when the plan is in one of From.
// At is the time of audit entries that have none.
type PlanMove struct {
	ID       string
	From     []string
	To       string
	At       time.Time
	Owner    string
	Approver string
	Approved time.Time
	Began    time.Time
	Ended    time.Time
	Note     string
	Outcome  json.RawMessage
}

// PlanStep is the journal of one step: the intent before anything is sent, the UPID as soon as it is known, then what was observed.
// Sequence and meaning of State are package change's.
type PlanStep struct {
	Plan    string
	N       int // from 1
	State   string
	Cluster string
	Node    string
	Object  string // vmid, for caps and for finding operations
	Action  string // guest.start
	Tier    int
	UPID    string
	Sent    time.Time // intent written; zero while pending
	Ended   time.Time
	Before  json.RawMessage // what was read before it was sent
	Result  json.RawMessage // what was observed after it, with the inverse
	Error   string
	Code    string // of the error, as package fault has them; "" for a step that failed before they were kept
}

// StepFilter counts or lists journalled steps; pending ones too, unless Since or States leaves them out.
type StepFilter struct {
	Plan    string
	Cluster string
	Node    string
	Object  string
	Action  string
	MinTier int
	Since   time.Time // sent at or after
	Ended   time.Time // sent, and ended at or after
	States  []string
	Limit   int // 0 = 500, with Plan all
}

// AuditEntry is one thing that goes into the audit: a write before and after dispatch, a denial, an approval, a switch, a login.
// Nothing in it is secret.
type AuditEntry struct {
	At        time.Time
	Principal string
	Door      string // stdio, http, cli, web
	Event     string // plan, deny, approve, reject, apply, send, done, failed, unknown, cancel, undo, allow, grant, stop, secret ...
	Plan      string
	Step      int
	Cluster   string
	Object    string
	Tool      string
	Tier      int
	Outcome   string // ok, denied, failed, unknown, "" where there is none yet
	Detail    string // one line; method, path and parameter names for what is sent
}

// AuditRow is an entry in the chain: Hash is the SHA-256 of Prev and the entry's canonical JSON with its sequence number.
type AuditRow struct {
	Seq int64
	AuditEntry
	Prev string
	Hash string
}

// AuditFilter selects rows, newest first unless Forward. After, a sequence number, is where the page before ended: what comes behind
// it in that order is given.
type AuditFilter struct {
	After     int64
	Forward   bool
	Since     time.Time // at or after
	Until     time.Time // before
	Principal string
	Cluster   string
	Object    string // also where it is one of several: 104 finds 103,104
	Tool      string
	Plan      string
	Events    []string
	Outcomes  []string
	Limit     int // 0 = 100
}

// AuditHead is the end of the chain: what is kept in a second place, so that a cut tail shows.
type AuditHead struct {
	Seq  int64
	Hash string
}

// SecretRow is a secret at rest. Value is sealed by the caller; the store never sees it in clear.
type SecretRow struct {
	Name    string
	Value   []byte // nonce and AES-GCM ciphertext; nil where the system's keyring holds it
	Where   string // keyring, store
	By      string
	Created time.Time
	Used    time.Time
}
