package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Stats says how large the store is: bytes on disk, its log included, and rows per table.
type Stats struct {
	Path       string           `json:"path"`
	Bytes      int64            `json:"bytes"`
	Generation int64            `json:"generation"`
	Rows       map[string]int64 `json:"rows"`
}

// CheckReport is the result of a full check. Problems is empty when the store is sound; each is one sentence.
type CheckReport struct {
	Stats
	Schema   string   `json:"schema"`       // newest migration applied
	Known    string   `json:"schema_known"` // newest this program knows
	Contents int64    `json:"contents_verified"`
	Problems []string `json:"problems,omitempty"`
}

// OK says whether nothing was found.
func (r CheckReport) OK() bool { return len(r.Problems) == 0 }

// problem adds one, unless an earlier step met the same.
func (r *CheckReport) problem(text string) {
	if !slices.Contains(r.Problems, text) {
		r.Problems = append(r.Problems, text)
	}
}

// checkedTables are counted by Stats.
var checkedTables = []string{"clusters", "guests", "objects", "object_versions", "contents", "changes", "tasks", "syncs", "leases",
	"plans", "plan_steps", "audit", "settings", "secrets", "intents", "iac_addresses", "tokens"}

// maxProblems bounds the problems of one kind that a report names.
const maxProblems = 20

// Stats counts the store's rows and bytes.
func (d *DB) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Path: d.Path(), Rows: make(map[string]int64, len(checkedTables))}
	var err error
	if s.Bytes, err = d.eng.size(ctx, d.read.DB); err != nil {
		return s, d.fault(err)
	}
	if err := d.read.NewRaw("SELECT value FROM meta WHERE key = 'generation'").Scan(ctx, &s.Generation); err != nil {
		return s, d.fault(err)
	}
	for _, table := range checkedTables {
		if there, err := d.hasTable(ctx, table); err != nil {
			return s, d.fault(err)
		} else if !there {
			continue
		}
		if s.Rows[table], err = d.read.NewSelect().Table(table).Count(ctx); err != nil {
			return s, d.fault(err)
		}
	}
	return s, nil
}

// hasTable is false for the tables of later migrations in a store that is looked at before it is migrated.
func (d *DB) hasTable(ctx context.Context, name string) (bool, error) {
	var all, found int
	err := d.read.DB.QueryRowContext(ctx, d.eng.tables(), name).Scan(&all, &found)
	return found > 0, err
}

// Check reads everything: the engine's own integrity check, references between tables, the schema, and every content, plan
// and audit row against its hash. It changes nothing. What is damaged is a problem of the report; the error says that the check itself could not go on.
func (d *DB) Check(ctx context.Context) (CheckReport, error) {
	var r CheckReport
	for _, step := range []func(context.Context, *CheckReport) error{
		d.checkEngine, d.checkSchema, d.checkContents, d.checkVersions, d.checkPlans, d.checkAudit, d.checkStats,
	} {
		err := d.fault(step(ctx, &r))
		if e, ok := errors.AsType[*fault.Error](err); ok && e.Code == fault.StoreCorrupt {
			r.problem(e.Cause)
		} else if err != nil {
			return r, err
		}
	}
	return r, nil
}

// Inspect checks the store at o.Path even when it is too damaged to be opened. It creates and migrates nothing. NotFound when there
// is no file or no table; StoreNewer and the like when it cannot be judged by this program.
func Inspect(ctx context.Context, o Options) (CheckReport, error) {
	eng, err := engineOf(ctx, o)
	if err != nil {
		return CheckReport{}, err
	}
	d := &DB{eng: eng, head: headFileOf(eng, o)}
	if file, ok := eng.(*sqliteEngine); ok {
		if _, err := os.Stat(file.path); err != nil {
			return CheckReport{}, fault.Wrap(fault.NotFound, err, "there is no state store at %s", file.path)
		}
	}
	pool, err := eng.readPool()
	if err != nil {
		return CheckReport{}, d.fault(err)
	}
	d.read = bun.NewDB(pool, eng.dialect())
	r, err := d.inspect(ctx)
	return r, errors.Join(err, d.fault(d.read.Close()))
}

// inspect tells a database without tables, which is no store yet, from one that lost some.
func (d *DB) inspect(ctx context.Context) (CheckReport, error) {
	server, ok := d.eng.(*postgresEngine)
	if !ok {
		return d.Check(ctx)
	}
	ours, err := d.isOurs(ctx, d.read.DB)
	if err == nil && !ours {
		err = server.future(ctx, d.read.DB)
	}
	if err != nil {
		return CheckReport{}, d.fault(err)
	}
	return d.Check(ctx)
}

func (d *DB) checkEngine(ctx context.Context, r *CheckReport) error {
	found, err := d.eng.integrity(ctx, d.read.DB)
	r.Problems = append(r.Problems, found...)
	return err
}

func (d *DB) checkSchema(ctx context.Context, r *CheckReport) error {
	known, err := d.migrations()
	if err != nil {
		return err
	}
	state, err := d.schemaOf(ctx, d.read, known)
	r.Schema, r.Known = state.found, state.known
	return err
}

// checkContents hashes every body.
func (d *DB) checkContents(ctx context.Context, r *CheckReport) error {
	return d.checkHashes(ctx, r, "content %.16s... does not have its hash", &r.Contents, "SELECT hash, hash, body FROM contents")
}

// checkPlans hashes the bodies that retention has left.
func (d *DB) checkPlans(ctx context.Context, r *CheckReport) error {
	if there, err := d.hasTable(ctx, "plans"); err != nil || !there {
		return err
	}
	return d.checkHashes(ctx, r, "the body of plan %s does not have its hash", new(int64), "SELECT id, hash, body FROM plans WHERE body <> ''")
}

// checkAudit walks along the audit's chain.
func (d *DB) checkAudit(ctx context.Context, r *CheckReport) error {
	if there, err := d.hasTable(ctx, "audit"); err != nil || !there {
		return err
	}
	audit, err := d.VerifyAudit(ctx, nil)
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Code == fault.StoreCorrupt && e.Cause == "" { // the head file
		r.problem("audit: " + e.Message)
		return nil
	}
	if err == nil && !audit.OK() {
		r.problem("audit: " + audit.Problem)
	}
	return err
}

// checkHashes hashes the bodies of a query for name, hash and body, and counts them.
func (d *DB) checkHashes(ctx context.Context, r *CheckReport, problem string, count *int64, query string) (err error) {
	rows, err := d.read.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	wrong := 0
	for rows.Next() {
		var name, hash, body string
		if err := rows.Scan(&name, &hash, &body); err != nil {
			return err
		}
		*count++
		if pve.Hash([]byte(body)) == hash {
			continue
		}
		if wrong++; wrong <= maxProblems {
			r.Problems = append(r.Problems, fmt.Sprintf(problem, name))
		}
	}
	return rows.Err()
}

// checkVersions looks for versions without content and lives whose current version is not exactly their newest.
func (d *DB) checkVersions(ctx context.Context, r *CheckReport) error {
	for _, q := range []string{
		"SELECT 'version ' || seq || ' of ' || kind || ' ' || id || ' has no content' FROM object_versions " +
			"WHERE hash NOT IN (SELECT hash FROM contents)",
		"SELECT kind || ' ' || id || ' has ' || sum(CASE WHEN current THEN 1 ELSE 0 END) || ' current versions' FROM object_versions " +
			"GROUP BY cluster, kind, id, life HAVING sum(CASE WHEN current THEN 1 ELSE 0 END) <> 1",
	} {
		found, err := texts(ctx, d.read.DB, fmt.Sprintf("%s LIMIT %d", q, maxProblems))
		if err != nil {
			return err
		}
		r.Problems = append(r.Problems, found...)
	}
	return nil
}

func (d *DB) checkStats(ctx context.Context, r *CheckReport) (err error) {
	r.Stats, err = d.Stats(ctx)
	return err
}

// Backup writes a consistent copy of the store to dest, which must not exist, while others go on writing.
func (d *DB) Backup(ctx context.Context, dest string) error {
	return d.fault(d.eng.backup(ctx, dest))
}
