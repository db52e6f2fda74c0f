package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Store is what the suite tries: the methods that the inventory uses, and the care of the database itself.
type Store interface {
	Generation(ctx context.Context) (int64, error)
	RecentGeneration(ctx context.Context) (int64, error)
	AcquireLease(ctx context.Context, name, owner string, ttl time.Duration) (store.Lease, bool, error)
	RenewLease(ctx context.Context, l store.Lease, ttl time.Duration) (store.Lease, error)
	ReleaseLease(ctx context.Context, l store.Lease) error

	BeginSync(ctx context.Context, l store.Lease, s store.Sync) (int64, error)
	ApplyBatch(ctx context.Context, l store.Lease, b store.Batch) (store.Applied, error)
	FinishSync(ctx context.Context, l store.Lease, s store.Sync) error
	LastSync(ctx context.Context, cluster string) (store.Sync, bool, error)

	Guests(ctx context.Context, f store.GuestFilter) ([]store.Guest, error)
	Objects(ctx context.Context, cluster string, afterGen int64) ([]store.Object, error)
	Content(ctx context.Context, hash string) (json.RawMessage, error)
	Tasks(ctx context.Context, f store.TaskFilter) ([]store.Task, error)
	CountTasks(ctx context.Context, f store.TaskFilter) (int, error)
	TaskByHandle(ctx context.Context, handle string) (store.Task, bool, error)
	Versions(ctx context.Context, ref store.Ref) ([]store.Version, error)
	Changes(ctx context.Context, f store.HistoryFilter) ([]store.Change, error)
	Revisions(ctx context.Context, f store.HistoryFilter) ([]store.Revision, error)

	SavePlan(ctx context.Context, p store.Plan, steps []store.PlanStep, a store.AuditEntry) (store.Plan, error)
	PlanByID(ctx context.Context, id string) (store.Plan, bool, error)
	Plans(ctx context.Context, f store.PlanFilter) ([]store.Plan, error)
	MovePlan(ctx context.Context, m store.PlanMove, a ...store.AuditEntry) (store.Plan, error)
	SaveStep(ctx context.Context, l store.Lease, s store.PlanStep, a ...store.AuditEntry) error
	Steps(ctx context.Context, f store.StepFilter) ([]store.PlanStep, error)
	CountSteps(ctx context.Context, f store.StepFilter) (int, error)

	AppendAudit(ctx context.Context, a store.AuditEntry) (store.AuditRow, error)
	Audit(ctx context.Context, f store.AuditFilter) ([]store.AuditRow, error)
	AuditHead(ctx context.Context) (store.AuditHead, error)
	VerifyAudit(ctx context.Context, head *store.AuditHead) (store.AuditReport, error)

	SetStop(ctx context.Context, on bool, until time.Time, by, reason string, a store.AuditEntry) error
	Stopped(ctx context.Context) (store.StopState, error)
	Setting(ctx context.Context, key string) (string, bool, error)
	SetSetting(ctx context.Context, key, value string, a store.AuditEntry) error
	PutSecret(ctx context.Context, s store.SecretRow, a store.AuditEntry) error
	SecretByName(ctx context.Context, name string) (store.SecretRow, bool, error)
	Secrets(ctx context.Context) ([]store.SecretRow, error)
	SecretUsed(ctx context.Context, name string) error
	DeleteSecret(ctx context.Context, name string, a store.AuditEntry) error
	AddToken(ctx context.Context, t store.TokenRow, a store.AuditEntry) error
	TokenByHash(ctx context.Context, hash []byte) (store.TokenRow, bool, error)
	Tokens(ctx context.Context) ([]store.TokenRow, error)
	AnyToken(ctx context.Context) (bool, error)
	RevokeToken(ctx context.Context, name string, a store.AuditEntry) error
	TokenUsed(ctx context.Context, name string, a store.AuditEntry) error

	Intents(ctx context.Context, cluster string) ([]store.Intent, error)
	SetIntent(ctx context.Context, i store.Intent) error
	ClearIntent(ctx context.Context, ref store.Ref) (bool, error)

	Addresses(ctx context.Context, cluster string) ([]store.Address, error)
	AddAddresses(ctx context.Context, cluster string, added []store.Address) error

	Backup(ctx context.Context, dest string) error
	Check(ctx context.Context) (store.CheckReport, error)
	Stats(ctx context.Context) (store.Stats, error)
	Counts(ctx context.Context) (store.Counts, error)
	Close() error
}

var _ Store = (*store.DB)(nil)

// Backend is a database under test. New makes an empty place (a path, a database's address); Open opens one more handle on it, as
// one more process would. The suite closes what it opens. Copy makes a copy of s, which lies at place, the way that users are told to,
// while others write, and gives its place.
type Backend struct {
	New  func(t *testing.T) string
	Open func(ctx context.Context, place string, clock func() time.Time) (Store, error)
	Copy func(t *testing.T, s Store, place string) string
}

// Run tries everything that a store promises.
func Run(t *testing.T, b Backend) {
	for name, test := range map[string]func(*testing.T, *suite){
		"RoundTrip":       testRoundTrip,
		"Absent":          testAbsent,
		"HostileText":     testHostileText,
		"GuestFilter":     testGuestFilter,
		"Lives":           testLives,
		"Gone":            testGone,
		"Objects":         testObjects,
		"LastRowWins":     testLastRowWins,
		"ByteOrder":       testByteOrder,
		"Versions":        testVersions,
		"VersionsInBatch": testVersionsInBatch,
		"SharedContent":   testSharedContent,
		"BadContent":      testBadContent,
		"Unchanged":       testUnchanged,
		"AllOrNothing":    testAllOrNothing,
		"Changes":         testChanges,
		"HistoryFilter":   testHistoryFilter,
		"Tasks":           testTasks,
		"TaskRetention":   testTaskRetention,
		"Syncs":           testSyncs,
		"Counts":          testCounts,
		"SyncRetention":   testSyncRetention,
		"Intents":         testIntents,
		"Addresses":       testAddresses,
		"Lease":           testLease,
		"LeaseTakeover":   testLeaseTakeover,
		"LeaseRace":       testLeaseRace,
		"FencingRace":     testFencingRace,
		"Generation":      testGeneration,
		"OpenRace":        testOpenRace,
		"ManyWriters":     testManyWriters,
		"Cancelled":       testCancelled,
		"Plans":           testPlans,
		"PlanMoves":       testPlanMoves,
		"PlanRace":        testPlanRace,
		"PlanRetention":   testPlanRetention,
		"Steps":           testSteps,
		"StepFilter":      testStepFilter,
		"Audit":           testAudit,
		"AuditFilter":     testAuditFilter,
		"AuditRace":       testAuditRace,
		"Stop":            testStop,
		"StopRace":        testStopRace,
		"Settings":        testSettings,
		"Secrets":         testSecrets,
		"Tokens":          testTokens,
		"Backup":          testBackup,
		"BackupLive":      testBackupLive,
	} {
		t.Run(name, func(t *testing.T) {
			s := &suite{b: b, place: b.New(t), now: t0}
			s.Store = s.open(t)
			test(t, s)
			s.sound(t)
		})
	}
}

// t0 is when every test begins.
var t0 = time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)

// suite is one test's store with its clock.
type suite struct {
	Store
	b     Backend
	place string

	mu  sync.Mutex
	now time.Time
}

func (s *suite) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *suite) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// open opens one more handle.
func (s *suite) open(t *testing.T) Store {
	t.Helper()
	h, err := s.b.Open(t.Context(), s.place, s.clock)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return h
}

// sound fails when a full check finds anything.
func (s *suite) sound(t *testing.T) {
	t.Helper()
	r, err := s.Check(t.Context())
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	if !r.OK() {
		t.Errorf("check: %q", r.Problems)
	}
}

func (s *suite) lease(t *testing.T, owner string) store.Lease {
	t.Helper()
	l, ok, err := s.AcquireLease(t.Context(), "sync:a", owner, time.Hour)
	if err != nil || !ok {
		t.Fatalf("AcquireLease(%s) = %v, %v", owner, ok, err)
	}
	return l
}

func (s *suite) apply(t *testing.T, l store.Lease, b store.Batch) store.Applied {
	t.Helper()
	if b.Cluster == "" {
		b.Cluster = "a"
	}
	if b.At.IsZero() {
		b.At = s.clock()
	}
	done, err := s.ApplyBatch(t.Context(), l, b)
	if err != nil {
		t.Fatalf("ApplyBatch: %v", err)
	}
	return done
}

// rows counts the rows of every table that a sync could grow.
func (s *suite) rows(t *testing.T) map[string]int64 {
	t.Helper()
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st.Rows
}

// wantCode fails unless err is a fault with that code.
func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("error %v (%T), want code %s", err, err, code)
	}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// must gives the value of a call that has to work.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func guest(vmid, life int) store.Guest {
	return store.Guest{
		VMID: vmid, Life: life, Type: "qemu", Node: "pve1", Name: "web", Status: "running", FirstSeen: t0, LastSeen: t0,
	}
}

func content(id string, life int, body string) store.Content {
	return store.Content{
		Ref: store.Ref{Cluster: "a", Kind: store.KindGuest, ID: id}, Life: life, Hash: pve.Hash([]byte(body)), JSON: []byte(body),
	}
}
