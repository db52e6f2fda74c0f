package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store/pgtest"
)

// audited is a store whose audit has five rows and a head file, on either engine.
func audited(t *testing.T, place string) (*DB, Options) {
	t.Helper()
	o := Options{Path: place, HeadFile: filepath.Join(t.TempDir(), "made", "head")}
	d := openWith(t, o)
	for i := range 5 {
		appended(t, d, fmt.Sprintf("step %d", i+1))
	}
	return d, o
}

func openWith(t *testing.T, o Options) *DB {
	t.Helper()
	d, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func appended(t *testing.T, d *DB, detail string) AuditRow {
	t.Helper()
	r, err := d.AppendAudit(t.Context(), AuditEntry{Event: "send", Principal: "local:1000", Detail: detail})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tamper does what a person with the right to the database can do: it drops the triggers first.
func tamper(t *testing.T, d *DB, statements ...string) {
	t.Helper()
	drop := []string{"DROP TRIGGER audit_update", "DROP TRIGGER audit_delete", "DROP TRIGGER audit_head_back"}
	if d.eng.remote() {
		drop = []string{"DROP TRIGGER audit_keep ON audit", "DROP TRIGGER audit_head_back ON audit_head"}
	}
	for _, s := range append(drop, statements...) {
		if err := d.Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAuditTampered changes the audit behind the store's back: the first bad row is named, by the full check as well.
func TestAuditTampered(t *testing.T) {
	for name, c := range map[string]struct {
		statements []string
		bad        int64
		problem    string
	}{
		"flipped letter": {[]string{"UPDATE audit SET detail = 'step 9' WHERE seq = 3"}, 3, "is not as it was written"},
		"flipped hash":   {[]string{"UPDATE audit SET hash = 'f' || substr(hash, 2) || 'f' WHERE seq = 5"}, 5, "is not as it was written"},
		"another time":   {[]string{"UPDATE audit SET at = at + 1 WHERE seq = 1"}, 1, "is not as it was written"},
		"dropped row":    {[]string{"DELETE FROM audit WHERE seq = 2"}, 2, "is missing"},
		"first row":      {[]string{"DELETE FROM audit WHERE seq = 1"}, 1, "is missing"},
		"dropped and closed up": {[]string{"DELETE FROM audit WHERE seq = 4", "UPDATE audit SET seq = 4 WHERE seq = 5"},
			4, "is not as it was written"},
		"swapped rows": {[]string{"UPDATE audit SET seq = 99 WHERE seq = 2", "UPDATE audit SET seq = 2 WHERE seq = 3",
			"UPDATE audit SET seq = 3 WHERE seq = 99"}, 2, "is not as it was written"},
		"cut tail":           {[]string{"DELETE FROM audit WHERE seq > 3"}, 4, "its end is missing"},
		"cut tail and head":  {[]string{"DELETE FROM audit WHERE seq > 3", cutHead}, 4, "its end is missing"},
		"all gone":           {[]string{"DELETE FROM audit"}, 1, "its end is missing"},
		"all gone with head": {[]string{"DELETE FROM audit", "UPDATE audit_head SET seq = 0, hash = ''"}, 1, "its end is missing"},
		"forged row":         {[]string{forged}, 6, "is not as it was written"},
		"row before all":     {[]string{strings.ReplaceAll(forged, "seq + 1", "0")}, 0, "was not written by this program"},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, place string) {
				d, _ := audited(t, place)
				tamper(t, d, c.statements...)
				r, err := d.VerifyAudit(t.Context(), nil)
				if err != nil || r.OK() || r.Bad != c.bad || !strings.Contains(r.Problem, c.problem) {
					t.Errorf("%v, %+v; want row %d: %s", err, r, c.bad, c.problem)
				}
				full, err := d.Check(t.Context())
				if err != nil || !strings.Contains(strings.Join(full.Problems, "\n"), r.Problem) {
					t.Errorf("full check: %v, %q", err, full.Problems)
				}
			})
		})
	}
}

const (
	cutHead = "UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit WHERE seq = 3)"
	forged  = "INSERT INTO audit SELECT seq + 1, at, principal, door, event, plan, step, cluster, object, tool, tier, outcome, detail, hash, hash " +
		"FROM audit WHERE seq = 5"
)

// TestAuditRewritten writes the chain anew from row 3 on, every hash and the store's own head in order: the head file tells, and a
// head that somebody noted on paper.
func TestAuditRewritten(t *testing.T) {
	onBoth(t, func(t *testing.T, place string) {
		d, o := audited(t, place)
		paper, err := d.AuditHead(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rows, err := d.Audit(t.Context(), AuditFilter{Forward: true})
		if err != nil {
			t.Fatal(err)
		}
		tamper(t, d, "DELETE FROM audit WHERE seq > 2")
		rows[2].Detail = "another one"
		for i := 2; i < 5; i++ {
			rows[i].Prev = rows[i-1].Hash
			rows[i].Hash = rows[i].Sum()
			row := newAuditRow(&rows[i].AuditEntry)
			row.Seq, row.Prev, row.Hash = rows[i].Seq, rows[i].Prev, rows[i].Hash
			if _, err := d.write.NewInsert().Model(&row).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Exec(t.Context(), "UPDATE audit_head SET hash = '"+rows[4].Hash+"'"); err != nil {
			t.Fatal(err)
		}
		r, err := d.VerifyAudit(t.Context(), nil)
		if want := "row 5 is not the one that " + o.HeadFile + " notes"; err != nil || r.Problem != want {
			t.Errorf("%v, %q, want %q", err, r.Problem, want)
		}
		if err := os.Remove(o.HeadFile); err != nil {
			t.Fatal(err)
		}
		r, err = d.VerifyAudit(t.Context(), &paper)
		if err != nil || r.Bad != 5 || !strings.Contains(r.Problem, "you named") {
			t.Errorf("against the noted head: %v, %+v", err, r)
		}
	})
}

// TestAuditCutIsKept refuses to append to an audit whose end was taken away: the head file, which proves it, stays as it is.
func TestAuditCutIsKept(t *testing.T) {
	onBoth(t, func(t *testing.T, place string) {
		d, o := audited(t, place)
		tamper(t, d, "DELETE FROM audit WHERE seq > 3", cutHead)
		before := readFile(t, o.HeadFile)
		_, err := d.AppendAudit(t.Context(), AuditEntry{Event: "send"})
		e := fault.Of(err)
		if err == nil || e.Code != fault.StoreCorrupt || !strings.Contains(e.Message, "ends at row 3") || !strings.Contains(e.Message, o.HeadFile) || e.Hint == "" {
			t.Errorf("error %v", err)
		}
		if after := readFile(t, o.HeadFile); after != before {
			t.Errorf("head file %q, before %q", after, before)
		}
		if err := os.Remove(o.HeadFile); err != nil { // as the hint says
			t.Fatal(err)
		}
		appended(t, d, "after that")
		if r, err := d.VerifyAudit(t.Context(), nil); err != nil || !r.OK() || r.Rows != 4 {
			t.Errorf("afterwards: %v, %+v", err, r)
		}
	})
}

// TestAuditAppendOnly tries to change the audit with plain statements: the database refuses.
func TestAuditAppendOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, place string) {
		d, _ := audited(t, place)
		statements := []string{
			"UPDATE audit SET detail = 'x' WHERE seq = 1", "DELETE FROM audit WHERE seq = 5", "UPDATE audit_head SET seq = 3",
			"UPDATE audit_head SET hash = 'x'", "DELETE FROM audit_head", strings.Replace(forged, "INSERT", "INSERT OR REPLACE", 1),
		}
		if d.eng.remote() {
			statements = append(statements[:5], "TRUNCATE audit", "TRUNCATE audit_head")
		} else {
			statements[5] = strings.ReplaceAll(statements[5], "seq + 1", "seq")
		}
		for _, s := range statements {
			if err := d.Exec(t.Context(), s); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", s, err)
			}
		}
		if r, err := d.VerifyAudit(t.Context(), nil); err != nil || !r.OK() || r.Rows != 5 {
			t.Errorf("afterwards: %v, %+v", err, r)
		}
	})
}

// TestHeadFile notes the last row beside the store and in the log, for the owner alone, and leaves nothing else behind.
func TestHeadFile(t *testing.T) {
	var log strings.Builder
	o := Options{Path: filepath.Join(t.TempDir(), "s.db"), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	d := openWith(t, o)
	appended(t, d, "one")
	r := appended(t, d, "two")
	file := o.Path + ".audit-head"
	if got, want := readFile(t, file), fmt.Sprintf("2 %s\n", r.Hash); got != want {
		t.Errorf("head file %q, want %q", got, want)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if !strings.Contains(log.String(), r.Hash) {
		t.Errorf("log: %s", log.String())
	}
	if left, err := filepath.Glob(o.Path + "*.partial"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := d.AppendAudit(t.Context(), AuditEntry{Event: "send"})
	if fault.CodeOf(err) != fault.StoreCorrupt || !strings.Contains(err.Error(), file) {
		t.Errorf("with an empty head file: %v", err)
	}
	if full, err := d.Check(t.Context()); err != nil || !strings.Contains(strings.Join(full.Problems, "\n"), file) {
		t.Errorf("full check: %v, %q", err, full.Problems)
	}
}

// TestHeadFileBehind goes on where a process was killed between its commit and the head file.
func TestHeadFileBehind(t *testing.T) {
	onBoth(t, func(t *testing.T, place string) {
		d, o := audited(t, place)
		before := readFile(t, o.HeadFile)
		appended(t, d, "six")
		if err := os.WriteFile(o.HeadFile, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := d.VerifyAudit(t.Context(), nil)
		if err != nil || !r.OK() || r.Noted != 5 || r.Head.Seq != 6 {
			t.Errorf("behind: %v, %+v", err, r)
		}
		last := appended(t, d, "seven")
		if got := readFile(t, o.HeadFile); got != fmt.Sprintf("7 %s\n", last.Hash) {
			t.Errorf("head file %q", got)
		}
	})
}

// TestNoHeadFileNoWrite cannot write the head, the new file's name being too long for a file system: nothing of the write is kept.
func TestNoHeadFileNoWrite(t *testing.T) {
	onBoth(t, func(t *testing.T, place string) {
		d := openWith(t, Options{Path: place, HeadFile: filepath.Join(t.TempDir(), "made", strings.Repeat("h", 250))})
		wantNothing(t, d, fault.Store)
	})
}

// wantNothing tries every audited write and finds nothing of it.
func wantNothing(t *testing.T, d *DB, code fault.Code) {
	t.Helper()
	before, err := d.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 200_000)
	body := []byte(`"` + big + `"`)
	a := AuditEntry{Event: "send", Detail: big}
	ctx := t.Context()
	for name, write := range map[string]func() error{
		"plan": func() error {
			_, err := d.SavePlan(ctx, Plan{ID: "p-x", Hash: pve.Hash(body), Body: body}, nil, a)
			return err
		},
		"audit":   func() error { _, err := d.AppendAudit(ctx, a); return err },
		"stop":    func() error { return d.SetStop(ctx, true, d.clock(), "o", "r", a) },
		"setting": func() error { return d.SetSetting(ctx, "k", big, a) },
		"secret":  func() error { return d.PutSecret(ctx, SecretRow{Name: "n", Where: InKeyring}, a) },
	} {
		if err := write(); fault.CodeOf(err) != code {
			t.Errorf("%s: %v, want %s", name, err, code)
		}
	}
	after, err := d.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for table, n := range after.Rows {
		if n != before.Rows[table] {
			t.Errorf("%s has %d rows, had %d", table, n, before.Rows[table])
		}
	}
	if s, err := d.Stopped(ctx); err != nil || s.On {
		t.Errorf("stop: %v, %v", s, err)
	}
	if r, err := d.VerifyAudit(ctx, nil); err != nil || !r.OK() {
		t.Errorf("audit: %v, %+v", err, r)
	}
}

// TestAuditFull runs out of room: StoreFull for every write, nothing of it is kept, and with room it goes on.
func TestAuditFull(t *testing.T) {
	d, _ := audited(t, filepath.Join(t.TempDir(), "s.db"))
	limit := func(pages int) {
		t.Helper()
		if _, err := d.durable.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	d.clock = func() time.Time { return now }
	limit(1) // SQLite makes it the present size
	wantNothing(t, d, fault.StoreFull)
	rows := int64(6)
	for ; ; rows++ { // until not even the smallest row has room
		if _, err := d.AppendAudit(t.Context(), AuditEntry{Event: "x"}); err != nil {
			break
		}
	}
	for range 2 { // a try each second finds none either
		if err := d.Room(t.Context()); fault.CodeOf(err) != fault.StoreFull || fault.Of(err).Hint == "" {
			t.Errorf("room is said: %v", err)
		}
		now = now.Add(roomEvery)
	}
	limit(100_000)
	if err := d.Room(t.Context()); err != nil {
		t.Errorf("with room: %v", err)
	}
	if last, err := d.Audit(t.Context(), AuditFilter{Limit: 1}); err != nil || last[0].Event != "store" {
		t.Errorf("it is not written down: %+v, %v", last, err)
	}
	appended(t, d, "with room")
	if r, err := d.VerifyAudit(t.Context(), nil); err != nil || !r.OK() || r.Rows != rows+1 {
		t.Errorf("with room: %v, %+v", err, r)
	}
}

// TestDurable has every commit of the audited writes synced to the disk.
func TestDurable(t *testing.T) {
	for want, place := range map[string]string{"2": filepath.Join(t.TempDir(), "s.db"), "on": pgtest.Database(t)} {
		d := openWith(t, Options{Path: place})
		var got string
		query := map[bool]string{true: "SHOW synchronous_commit", false: "PRAGMA synchronous"}[d.eng.remote()]
		err := d.audited(t.Context(), nil, time.Time{}, func(ctx context.Context, tx bun.Tx) error {
			return tx.QueryRowContext(ctx, query).Scan(&got)
		}, nil)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %s", query, got, err, want)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
