package code

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Store is what the code is made from and where the names of objects in it are kept; store.DB is it.
type Store interface {
	iac.Store
	AddAddresses(ctx context.Context, cluster string, added []store.Address) error
	AcquireLease(ctx context.Context, name, owner string, ttl time.Duration) (store.Lease, bool, error)
	ReleaseLease(ctx context.Context, l store.Lease) error
	LastSync(ctx context.Context, cluster string) (store.Sync, bool, error)
	Changes(ctx context.Context, f store.HistoryFilter) ([]store.Change, error)
	Tasks(ctx context.Context, f store.TaskFilter) ([]store.Task, error)
}

// Options configure a Service. All but Environment and Program are required.
type Options struct {
	Store    func(ctx context.Context) (Store, error)
	Emitters []iac.Emitter
	// Select resolves what was asked for from the store alone: the cluster's name in it ("" = the only one), and the vmids that a query
	// selects, nil for all.
	Select func(ctx context.Context, cluster, query string) (name string, vmids map[int]bool, err error)
	// Guest resolves a guest by vmid or name, from the store alone.
	Guest func(ctx context.Context, cluster, guest string) (name string, vmid int, err error)
	// Folder is where a cluster's code lies unless somebody says otherwise.
	Folder func(cluster string) string
	// Environment is what terraform needs to reach a cluster (NAME=value), with what has to be undone after it.
	Environment func(ctx context.Context, cluster string) (env []string, undo func(), err error)
	// Unread is told where settings of a cluster were not read yet: somebody wants code of them. nil: nobody reads them.
	Unread func()
	// With are the parts that an export writes beside guests and pools (iac.Options.With).
	With []string
	Git  string // none, init or commit, where an export does not say; "" = none
	// Program is terraform or tofu, a name on PATH or a path; "" = what there is.
	Program string
	// Plans is the folder of saved plans, this program's own.
	Plans string
	Zone  *time.Location
	Clock func() time.Time // nil: time.Now
}

// Service is safe for concurrent use.
type Service struct {
	opt     Options
	running underway
}

// New makes a Service.
func New(o Options) *Service {
	if o.Zone == nil {
		o.Zone = time.Local
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Service{opt: o, running: underway{by: map[string]*checking{}}}
	s.running.life, s.running.stop = context.WithCancel(context.Background())
	return s
}

// Place says which cluster and which folder are meant.
type Place struct {
	Cluster string // as configured, "" = the only one
	Dir     string // absolute; "" = the cluster's own folder
	// Anywhere is set for a person at a terminal: code may go to any folder. Others are held to the configured one.
	Anywhere bool
}

// All is the target that stands for all.
const All = "all"

// Targets are the names of what can be exported, All first.
func (s *Service) Targets() []string {
	out := []string{All}
	for _, e := range s.opt.Emitters {
		out = append(out, e.Name())
	}
	return out
}

// place resolves a cluster, a query and a folder.
func (s *Service) place(ctx context.Context, p Place, query string) (cluster, dir string, only map[int]bool, err error) {
	cluster, only, err = s.opt.Select(ctx, p.Cluster, query)
	if err != nil {
		return "", "", nil, err
	}
	own := s.opt.Folder(cluster)
	switch {
	case p.Dir == "" || filepath.Clean(p.Dir) == own:
		dir = own
	case p.Anywhere:
		dir = filepath.Clean(p.Dir)
	default:
		return "", "", nil, fault.New(fault.Denied, "code of this cluster is written to %s, not elsewhere", own).
			WithHint("leave folder out; its owner can set code.folder in the configuration, or run: proxmox-mcp code export DIR")
	}
	if dir == "" {
		return "", "", nil, fault.New(fault.Config, "there is no folder for code: the home folder is not known").WithHint("set code.folder in the configuration")
	}
	return cluster, dir, only, nil
}

// emitters are those of a target.
func (s *Service) emitters(target string) ([]iac.Emitter, error) {
	if target == "" || target == All {
		return s.opt.Emitters, nil
	}
	for _, e := range s.opt.Emitters {
		if e.Name() == target {
			return []iac.Emitter{e}, nil
		}
	}
	return nil, fault.BadField("target", "must be one of "+strings.Join(s.Targets(), ", "), All)
}

// lockLimit is how long one export may hold a folder; a thousand guests take a second.
const lockLimit = time.Minute

// locked runs fn while no other process writes the folder.
func locked(ctx context.Context, st Store, dir string, fn func() error) error {
	sum := sha256.Sum256([]byte(dir))
	name, owner := "code:"+hex.EncodeToString(sum[:8]), rand.Text()
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	for {
		lease, ok, err := st.AcquireLease(ctx, name, owner, lockLimit)
		if err != nil {
			return err
		}
		if ok {
			err := fn()
			_ = st.ReleaseLease(context.WithoutCancel(ctx), lease) // it runs out by itself
			return err
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.Conflict, "another export is writing %s", dir).Retry()
		case <-time.After(lockEvery):
		}
	}
}

// lockEvery is the pace at which a waiting export looks.
const lockEvery = 100 * time.Millisecond

// freshness is when the store was last brought up to date with the cluster.
func freshness(ctx context.Context, st Store, cluster string) (time.Time, error) {
	last, ok, err := st.LastSync(ctx, cluster)
	if err != nil || !ok {
		return time.Time{}, err
	}
	return last.Finished, nil
}

// object is how differences and messages call an object: guest 104 jellyfin.
func object(kind store.Kind, id, name string) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", strings.ReplaceAll(string(kind), "_", " "), id, name))
}

// names are the emitters' names.
func names(list []iac.Emitter) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	slices.Sort(out)
	return out
}
