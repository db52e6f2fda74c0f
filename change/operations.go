package change

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/internal/reach"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// operationRows bounds what one question reads of the audit; who asks for more is told that the answer is cut.
const operationRows = 5000

// OperationQuery asks what was done through this program. Guest is a vmid or a name, also of what is gone; Principal and Outcome have
// to be equal. After is where the page before ended.
type OperationQuery struct {
	Cluster, Guest, Tool, Principal, Outcome string
	Since, Until                             time.Time
	After                                    int64
	Limit                                    int
}

// Operations are a page of it, newest first. Total counts all that match, unless Cut says that there are more than were read. Next is
// where the next page begins, 0 = there is none.
type Operations struct {
	Rows  []store.AuditRow
	Total int
	Cut   bool
	Next  int64
}

// Operations answers from the audit: what was sent and how it ended, what was refused, and what people decided. Rows that only begin
// something are left out. Errors: those of resolving the guest, fault.Invalid for a principal of whom nothing is
// recorded, and those of the store.
func (e *Engine) Operations(ctx context.Context, q OperationQuery) (Operations, error) {
	st, err := e.opt.Store(ctx)
	if err != nil {
		return Operations{}, err
	}
	f := store.AuditFilter{Since: q.Since, Until: q.Until, Principal: q.Principal, Cluster: q.Cluster, Tool: q.Tool, Limit: operationRows + 1,
		Object: strings.TrimSpace(q.Guest)}
	if _, err := strconv.Atoi(f.Object); err != nil && f.Object != "" {
		found, err := e.opt.Guests.FindOne(ctx, q.Cluster, f.Object)
		if err != nil {
			return Operations{}, err
		}
		f.Object, f.Cluster = found.ID(), found.Cluster
	}
	if q.Outcome != "" {
		f.Outcomes = []string{q.Outcome}
	}
	rows, err := st.Audit(ctx, f)
	if err != nil {
		return Operations{}, err
	}
	out := Operations{Cut: len(rows) > operationRows}
	rows = slices.DeleteFunc(rows[:min(len(rows), operationRows)], func(r store.AuditRow) bool { return !telling(&r) || !visible(ctx, &r) })
	out.Total = len(rows)
	if q.After > 0 {
		rows = slices.DeleteFunc(rows, func(r store.AuditRow) bool { return r.Seq >= q.After })
	}
	if len(rows) > q.Limit {
		rows, out.Next = rows[:q.Limit], rows[q.Limit-1].Seq
	}
	out.Rows = rows
	if out.Total == 0 {
		return out, e.knowsOperations(ctx, st, &q, f.Object)
	}
	return out, nil
}

// knowsOperations tells an empty answer from a question about a guest or a principal of which nothing is known.
func (e *Engine) knowsOperations(ctx context.Context, st Store, q *OperationQuery, object string) error {
	if object != "" {
		all, err := st.Audit(ctx, store.AuditFilter{Object: object, Limit: operationRows})
		if err != nil || slices.ContainsFunc(all, func(r store.AuditRow) bool { return visible(ctx, &r) }) {
			return err
		}
		if _, err := e.opt.Guests.FindOne(ctx, q.Cluster, object); err != nil {
			return err
		}
	}
	if q.Principal == "" {
		return nil
	}
	rows, err := st.Audit(ctx, store.AuditFilter{Limit: operationRows})
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for k := range rows {
		if visible(ctx, &rows[k]) {
			seen[rows[k].Principal] = true
		}
	}
	if seen[q.Principal] || len(rows) == operationRows {
		return nil
	}
	known := slices.Sorted(maps.Keys(seen))
	rule := "no operation of it is recorded"
	if like := near.Words(q.Principal, known, 3); len(like) > 0 {
		rule += "; did you mean " + strings.Join(like, ", ") + "?"
	} else if len(known) > 0 {
		rule += "; recorded: " + strings.Join(known[:min(len(known), 10)], ", ")
	}
	return fault.BadField("user", rule, "local:1000")
}

// visible says whether a caller may see a row: who is bounded to clusters sees theirs alone, not what people decided for all.
func visible(ctx context.Context, r *store.AuditRow) bool {
	b, ok := reach.Of(ctx)
	return !ok || b.Clusters == nil || slices.Contains(b.Clusters, r.Cluster)
}

// telling says that a row tells how something ended or what was decided. The end of a plan is told by its steps.
func telling(r *store.AuditRow) bool {
	switch r.Event {
	case "plan", "apply", "send":
		return false
	case Done, Failed, Unknown, Interrupted, Stale:
		return r.Step > 0
	}
	return r.Outcome != ""
}
