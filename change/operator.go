package change

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// KeeperStore is what the operator's side asks of the store; store.DB is it.
type KeeperStore interface {
	AcquireLease(ctx context.Context, name, owner string, ttl time.Duration) (store.Lease, bool, error)
	ReleaseLease(ctx context.Context, l store.Lease) error
	Setting(ctx context.Context, key string) (value string, ok bool, err error)
	SetSetting(ctx context.Context, key, value string, a store.AuditEntry) error
	AppendAudit(ctx context.Context, a store.AuditEntry) (store.AuditRow, error)
	SetStop(ctx context.Context, on bool, until time.Time, by, reason string, a store.AuditEntry) error
}

// Settings of the operator in the store.
const (
	settingHash  = "operator.passphrase" // PHC string of argon2id
	settingTries = "operator.tries"      // wrong ones since the last right one, JSON
	settingSeal  = "allowed.sha256"      // of allowed.json as the operator wrote it last
)

const (
	// minPassphrase keeps guessing hopeless at the pace that the lock leaves; longer is the owner's choice.
	minPassphrase = 10
	// freeTries are wrong passphrases without a wait: a person mistypes twice.
	freeTries = 3
	// firstWait doubles with each further wrong try, up to longestLock: some thirty tries a day are left to who guesses.
	firstWait   = 30 * time.Second
	longestLock = time.Hour
	// tryLease is how long a process that was killed while it checked a passphrase keeps others from trying.
	tryLease = 15 * time.Second
)

// cost of argon2id: the second recommendation of RFC 9106 section 4, for machines without 2 GiB to spare.
type cost struct {
	time, memory uint32 // memory in KiB
	threads      uint8
}

var standardCost = cost{3, 64 << 10, 4}

// Keeper keeps what only an operator may do: allow, and approve. An operator is a person that knows the passphrase, whose hash the store
// keeps. An agent has the rights of the user that it runs as, but not the passphrase.
type Keeper struct {
	Store KeeperStore
	Clock func() time.Time
	Local string // principal of the process that asks, for the audit of wrong tries
	Door  string

	cost cost // zero: standardCost
}

// Known says whether a passphrase was set.
func (o *Keeper) Known(ctx context.Context) (bool, error) {
	_, ok, err := o.Store.Setting(ctx, settingHash)
	return ok, err
}

// Init sets the passphrase. Where there is one, old has to be it.
func (o *Keeper) Init(ctx context.Context, old, fresh string) error {
	known, err := o.Known(ctx)
	if err != nil {
		return err
	}
	if known {
		if err := o.Prove(ctx, old); err != nil {
			return err
		}
	}
	if utf8.RuneCountInString(fresh) < minPassphrase {
		return fault.BadField("passphrase", fmt.Sprintf("must have at least %d characters", minPassphrase), "four words that come to your mind")
	}
	return o.Store.SetSetting(ctx, settingHash, o.hash(fresh), o.entry(OperatorPrincipal, "operator", "ok", "passphrase set"))
}

// tries are the wrong passphrases since the last right one.
type tries struct {
	Wrong int       `json:"wrong"`
	Last  time.Time `json:"last"`
}

// left is how long the next try has to wait. A clock that was put back makes nobody wait longer.
func (t tries) left(now time.Time) time.Duration {
	if t.Wrong < freeTries {
		return 0
	}
	wait := longestLock
	if n := t.Wrong - freeTries; n < 8 {
		wait = min(firstWait<<n, longestLock)
	}
	return wait - max(0, now.Sub(t.Last))
}

// Prove checks a passphrase; each try is audited, and wrong ones make the next wait. Tries are made one after the other, in all processes,
// and counted before they are checked, so that many at once gain nothing. Errors: fault.Denied when it is wrong or none was set,
// fault.RateLimited while tries have to wait.
func (o *Keeper) Prove(ctx context.Context, passphrase string) error {
	lease, ok, err := o.Store.AcquireLease(ctx, "operator", "operator-"+rand.Text()[:10], tryLease)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Locked, "another process checks a passphrase just now").Retry()
	}
	err = o.prove(ctx, passphrase)
	if rerr := o.Store.ReleaseLease(ctx, lease); err == nil && fault.CodeOf(rerr) != fault.Fenced {
		err = rerr
	}
	return err
}

func (o *Keeper) prove(ctx context.Context, passphrase string) error {
	stored, ok, err := o.Store.Setting(ctx, settingHash)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Denied, "no operator's passphrase was set in this store").WithHint("on a terminal: proxmox-mcp operator init")
	}
	t, err := o.tries(ctx)
	if err != nil {
		return err
	}
	if left := t.left(o.Clock()); left > 0 {
		return fault.New(fault.RateLimited, "%d wrong passphrases: the next try is possible in %s", t.Wrong, left.Round(time.Second))
	}
	t = tries{t.Wrong + 1, o.Clock().UTC()}
	if err := o.setTries(ctx, t, o.entry(o.Local, "login", "", "a passphrase is tried")); err != nil {
		return err
	}
	if !matches(stored, passphrase) {
		if _, err := o.Store.AppendAudit(ctx, o.entry(o.Local, "login", "denied", fmt.Sprintf("wrong passphrase, %d since the last right one", t.Wrong))); err != nil {
			return err
		}
		return fault.New(fault.Denied, "this is not the operator's passphrase")
	}
	return o.setTries(ctx, tries{}, o.entry(OperatorPrincipal, "login", "ok", "passphrase proved by "+o.Local))
}

func (o *Keeper) tries(ctx context.Context) (t tries, err error) {
	text, ok, err := o.Store.Setting(ctx, settingTries)
	if err != nil || !ok {
		return t, err
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return tries{Wrong: freeTries, Last: o.Clock()}, nil //nolint:nilerr // what cannot be read counts as wrong tries made now
	}
	return t, nil
}

func (o *Keeper) setTries(ctx context.Context, t tries, a store.AuditEntry) error {
	raw, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return o.Store.SetSetting(ctx, settingTries, string(raw), a)
}

func (o *Keeper) entry(who, event, outcome, detail string) store.AuditEntry {
	return store.AuditEntry{At: o.Clock().UTC().Truncate(time.Millisecond), Principal: who, Door: o.Door, Event: event, Outcome: outcome, Detail: detail}
}

func (o *Keeper) hash(passphrase string) string {
	c := o.cost
	if c == (cost{}) {
		c = standardCost
	}
	salt := []byte(rand.Text()[:16])
	key := argon2.IDKey([]byte(passphrase), salt, c.time, c.memory, c.threads, sha256.Size)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.memory, c.time, c.threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// matches compares with a PHC string in constant time; one that cannot be read matches nothing.
func matches(phc, passphrase string) bool {
	part := strings.Split(phc, "$")
	if len(part) != 6 || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false
	}
	var c cost
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &c.memory, &c.time, &c.threads); err != nil || c.time == 0 || c.threads == 0 {
		return false
	}
	salt, errS := base64.RawStdEncoding.DecodeString(part[4])
	want, errK := base64.RawStdEncoding.DecodeString(part[5])
	if errS != nil || errK != nil || len(want) != sha256.Size {
		return false
	}
	got := argon2.IDKey([]byte(passphrase), salt, c.time, c.memory, c.threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
}

// Open adds a grant that the operator gives: one for everything takes the place of the one before, one with a scope comes on top. Those
// that ended are dropped. The passphrase is to be proved before.
func (o *Keeper) Open(ctx context.Context, f *GrantFile, g Grant) error {
	now := o.Clock().UTC().Truncate(time.Second)
	g.At, g.By = now, o.Local
	event := "grant"
	if g.Scope.everything() {
		event = "allow"
	}
	old, err := f.load()
	if err != nil {
		old = nil // a file that is none of ours is replaced: the operator says what holds from now on
	}
	kept := []Grant{g}
	for _, k := range old {
		if (k.Until.IsZero() || now.Before(k.Until)) && k.Scope.String() != g.Scope.String() {
			kept = append(kept, k)
		}
	}
	return o.seal(ctx, f, kept, o.entry(OperatorPrincipal, event, "ok", g.String()))
}

// Close takes all grants away. It asks for nothing: less is always allowed.
func (o *Keeper) Close(ctx context.Context, f *GrantFile) error {
	return o.seal(ctx, f, nil, o.entry(o.Local, "allow", "ok", "nothing"))
}

// seal writes the grants, and before them their hash: a file that does not fit it allows nothing.
func (o *Keeper) seal(ctx context.Context, f *GrantFile, grants []Grant, a store.AuditEntry) error {
	raw, err := encodeGrants(grants)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	if err := o.Store.SetSetting(ctx, settingSeal, hex.EncodeToString(sum[:]), a); err != nil {
		return err
	}
	return f.write(raw)
}

// Seal gives the hash that allowed.json has to have, "" when the operator never wrote one with this store.
func Seal(ctx context.Context, st interface {
	Setting(ctx context.Context, key string) (value string, ok bool, err error)
}) (string, error) {
	sum, _, err := st.Setting(ctx, settingSeal)
	return sum, err
}
