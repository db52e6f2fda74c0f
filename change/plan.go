package change

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Tier is how much something can disturb (facts: security.md 4). The annotations of tools and the policy of writes derive from it.
type Tier int

// The tiers of DESIGN §2.
const (
	Read        Tier = iota // R0
	Reversible              // R1: the inverse removes only what this made
	Disruptive              // R2: stops, restarts or reconfigures
	Destructive             // R3: data is lost
	Host                    // R4: node, cluster or access
)

var tierNames = []string{"read", "reversible", "disruptive", "destructive", "host"}

// String is the tier as people grant it.
func (t Tier) String() string { return tierNames[min(max(int(t), 0), len(tierNames)-1)] }

// MarshalText makes files that people read say reversible, not 1.
func (t Tier) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Tier) UnmarshalText(text []byte) error {
	v, ok := TierOf(string(text))
	if !ok {
		return fault.BadField("tier", "must be one of read, reversible, disruptive, destructive, host", "reversible")
	}
	*t = v
	return nil
}

// TierOf reads a tier's name; false for what is none.
func TierOf(name string) (Tier, bool) {
	for i, n := range tierNames {
		if n == name {
			return Tier(i), true
		}
	}
	return Read, false
}

// The states of a plan. A Planned one may run now or by its requester; where an operator has to agree it was only looked at, by a dry run,
// until its requester asks for it (Engine.Submit).
const (
	Planned     = "planned"
	Waiting     = "waiting"     // for an operator's approval
	Approved    = "approved"    // by an operator, not begun
	Applying    = "applying"    // a process holds its lease and works on it
	Done        = "done"        // all steps were observed to have worked
	Failed      = "failed"      // a step failed; what came before it stands
	Unknown     = "unknown"     // the outcome of a step is not known
	Interrupted = "interrupted" // cut off between steps; apply goes on with the rest
	Cancelled   = "cancelled"   // by its requester before it began
	Rejected    = "rejected"    // by an operator
	Stale       = "stale"       // refused because the object changed since
	Undone      = "undone"      // a later plan took it back
)

// The states of a step in the journal.
const (
	StepPending = "pending"
	StepSent    = "sent"    // the intent is written; the request may or may not have left
	StepRunning = "running" // Proxmox VE answered; UPID says which task, "" for calls that end at once
	StepDone    = "done"    // observed
	StepNoop    = "noop"    // was so already; nothing was sent
	StepFailed  = "failed"
	StepUnknown = "unknown"
	StepSkipped = "skipped" // not sent: its object was refused at the last look
)

// Param is one parameter as it is sent, in order. A value may be a reference such as secret:NAME, resolved at dispatch only.
type Param struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// Target is the object of a step as it was read live when the plan was made. Life tells one guest from the next under its vmid: the
// smbios1 uuid of a VM, the inventory's count of lives for a container. What is no guest has a kind (kinds.go) and an Object; the guest
// that it belongs to, if any, fills the rest, so that rules by vmid, tag and pool fit it too.
type Target struct {
	Kind       string        `json:"kind,omitempty"`   // "" = guest; task, volume, job, node
	Object     string        `json:"object,omitempty"` // of a kind: volume id, job id, name of the node
	New        bool          `json:"new,omitempty"`    // a guest that this plan makes: it does not exist when it is planned
	Cluster    string        `json:"cluster"`
	Type       pve.GuestType `json:"type"`
	VMID       int           `json:"vmid"`
	Node       string        `json:"node"`
	Name       string        `json:"name,omitempty"`
	Life       string        `json:"life,omitempty"`
	Digest     string        `json:"digest,omitempty"`
	Status     string        `json:"status,omitempty"` // running, stopped, paused
	Lock       string        `json:"lock,omitempty"`
	Pool       string        `json:"pool,omitempty"`
	Tags       []string      `json:"tags,omitempty"`
	HA         string        `json:"ha,omitempty"`
	MACs       []string      `json:"macs,omitempty"` // of its network devices, upper case
	Template   bool          `json:"template,omitempty"`
	Protection bool          `json:"protection,omitempty"`
}

// ID is the vmid as text, or the id of what is no guest.
func (t Target) ID() string {
	if t.Object != "" {
		return t.Object
	}
	return strconv.Itoa(t.VMID)
}

// Label names the object for people: "104 web", "volume local:iso/a.iso".
func (t Target) Label() string {
	if t.Object != "" {
		return t.Kind + " " + t.Object
	}
	return strings.TrimSpace(t.ID() + " " + t.Name)
}

// key tells objects apart within a cluster.
func (t Target) key() string { return t.Kind + "/" + t.ID() }

// Diff is one field that a step changes. Empty Old: it was not set; empty New: it is removed.
type Diff struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

// Want is what reading back has to show for a step to have worked. Zero fields are not looked at.
type Want struct {
	Status     string            `json:"status,omitempty"` // as Target.Status
	Set        map[string]string `json:"set,omitempty"`    // configuration keys; property strings need the given parts only
	Unset      []string          `json:"unset,omitempty"`
	Snapshot   string            `json:"snapshot,omitempty"`    // is in the list
	NoSnapshot string            `json:"no_snapshot,omitempty"` // is not
	Parent     string            `json:"parent,omitempty"`      // current state's snapshot after a roll-back
	Restarted  bool              `json:"restarted,omitempty"`   // uptime began again
	Gone       bool              `json:"gone,omitempty"`        // no configuration any more
	Pool       *string           `json:"pool,omitempty"`        // member of it; "" = of none
	Ended      string            `json:"ended,omitempty"`       // UPID of a task that runs no more
	Node       string            `json:"node,omitempty"`        // where the guest is afterwards, if not where it was
	Backups    string            `json:"backups,omitempty"`     // storage that holds a new backup of each guest of Also
	Sizes      map[string]int64  `json:"sizes,omitempty"`       // disks by slot that have at least so many bytes
	Moved      map[string]Moved  `json:"moved,omitempty"`       // disks by slot that have another volume than they had
	Ran        bool              `json:"ran,omitempty"`         // the program that it started has ended
}

// Moved is where the new volume of a disk is to be. Not is the volume that it had.
type Moved struct {
	Storage string `json:"storage"`
	Not     string `json:"not"`
}

// Call is one request: method, path below /api2/json, parameters. A step without a method sends nothing: it waits for what it wants.
type Call struct {
	Method string  `json:"method,omitempty"`
	Path   string  `json:"path,omitempty"`
	Params []Param `json:"params,omitempty"`
	Upload *Upload `json:"upload,omitempty"` // a file that goes with it, as multipart/form-data
}

// Upload is a small file that a plan carries, such as a seed image for cloud-init; it is part of the plan's hash.
type Upload struct {
	Filename string `json:"filename"`
	Content  []byte `json:"content"`
}

// Step is one request to Proxmox VE, or one run of a program, with the state that it needs and the state that it makes.
type Step struct {
	Action  string   `json:"action"` // guest.start
	Tier    Tier     `json:"tier"`
	Target  Target   `json:"target"`
	Call    Call     `json:"call"`
	Task    string   `json:"task,omitempty"` // type of the task that it starts (qmstart), "" for a call that ends at once
	Want    Want     `json:"want"`
	Diff    []Diff   `json:"diff,omitempty"`
	Lost    []string `json:"lost,omitempty"`    // what cannot be brought back
	Undo    []Call   `json:"undo,omitempty"`    // brings back the state before, in order; digests are filled in when it is planned
	NoUndo  string   `json:"no_undo,omitempty"` // why there is no way back
	Noop    string   `json:"noop,omitempty"`    // why nothing is to be done: "is running already"
	Lock    string   `json:"lock,omitempty"`    // a lock that does not hinder it: suspended, for a start
	Pending bool     `json:"pending,omitempty"` // may wait for a restart of the guest: reading back tells

	Makes    bool          `json:"makes,omitempty"`    // its target, a guest, exists afterwards and did not before
	Also     []Target      `json:"also,omitempty"`     // further guests that it concerns: a clone's source, the guests of a backup. One with a digest is read again before it is sent
	Chain    string        `json:"chain,omitempty"`    // steps of one chain run in order though their objects differ; "" = those of one object do
	Stays    string        `json:"stays,omitempty"`    // why an undo of the plan leaves what it made: "the image serves the next guest"
	Always   bool          `json:"always,omitempty"`   // cleans up: sent even where a step before it did not end well, if its guest was made
	TaskID   string        `json:"task_id,omitempty"`  // the id within the UPID of its task, where that is not the target's vmid: a clone's is its source
	Finds    bool          `json:"finds,omitempty"`    // reading back names what it made, and with that its way back
	Patience time.Duration `json:"patience,omitempty"` // how long reading back may wait for what is wanted; 0 = Timing.Settle

	Program *Program `json:"program,omitempty"` // is run in place of a request

	made *Live // what a later step of the same plan may take its guest for; of Makes
}

// Chained puts steps into one chain: each waits for the one before it.
func Chained(name string, steps ...Step) []Step {
	for k := range steps {
		steps[k].Chain = name
	}
	return steps
}

// Blast is what else a plan touches, for its reviewer. Absent means that it could not be known, and Unknown says so.
type Blast struct {
	Guests     int        `json:"guests"`
	Running    []string   `json:"running,omitempty"` // labels of guests that run now
	HA         []string   `json:"ha,omitempty"`
	Dependants []string   `json:"dependants,omitempty"` // linked clones
	Snapshots  []string   `json:"snapshots,omitempty"`  // "104: clean, before-upgrade"
	NoBackup   []string   `json:"no_backup,omitempty"`  // labels without any backup that is known
	LastBackup *time.Time `json:"last_backup,omitempty"`
	Unsaved    []string   `json:"unsaved,omitempty"` // labels of guests that cannot be snapshotted, though the owner wants that first
	Unknown    []string   `json:"unknown,omitempty"`
}

// Body is what is hashed: the same request on the same state makes the same bytes.
type Body struct {
	V         int           `json:"v"` // 1
	Tool      string        `json:"tool"`
	Title     string        `json:"title"`
	Cluster   string        `json:"cluster"`
	Requester string        `json:"requester"`
	TTL       time.Duration `json:"ttl"` // how long it may wait, from the moment it was made
	Tier      Tier          `json:"tier"`
	Parallel  int           `json:"parallel,omitempty"` // guests that are worked on at a time
	Steps     []Step        `json:"steps"`
	Lost      []string      `json:"lost,omitempty"`
	Blast     Blast         `json:"blast"`
	Undoes    string        `json:"undoes,omitempty"` // the plan that it takes back
	Skipped   []Skip        `json:"skipped,omitempty"`
	Notes     []string      `json:"notes,omitempty"` // what its requester should know beside it

	moment []string // the same, of what was so at the moment of planning
}

// Skip is a guest that a query named and that the plan leaves out, with the reason.
type Skip struct {
	Guest  string `json:"guest"`
	Reason string `json:"reason"`
}

// Canonical is the one byte form of a body: declared order of fields, sorted maps, no HTML escaping.
func (b *Body) Canonical() []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(b); err != nil { // a Body holds nothing that JSON cannot
		return nil
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// Hash is the SHA-256 of the canonical form, hexadecimal.
func (b *Body) Hash() string { return pve.Hash(b.Canonical()) }

// idOf makes the short id of the nth plan of a hash: a plan is single-use, and the same change may be wanted again.
func idOf(hash string, nth int) string {
	sum := sha256.Sum256([]byte(hash + "#" + strconv.Itoa(nth)))
	return "p-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}

// shortHash is what people compare.
func shortHash(hash string) string {
	raw, err := hex.DecodeString(hash)
	if err != nil || len(raw) < 4 {
		return hash
	}
	return hash[:8]
}
