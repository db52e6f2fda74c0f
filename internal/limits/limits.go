// Package limits is for tests only: it writes what a budget of the design came to as a row of the one table that make test and make bench
// show at their end.
package limits

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// Mark begins a row in the output of go test -v; the table's maker (.ci/budgets) looks for it.
const Mark = "BUDGET|"

// Row is a budget and what was measured. Measured and Reference are as people read them ("12.1 ms", "echo 8.0 ms"); Value is the figure that
// is held against Limit, in the same unit: a ratio where the budget is one, else calls, tokens, bytes.
type Row struct {
	Name, Measured, Reference string
	Value, Limit              float64
}

// Report logs the row and fails the test when the limit is passed.
func Report(t testing.TB, r Row) {
	t.Helper()
	ok := "ok"
	if r.Value > r.Limit {
		ok = "OVER"
	}
	t.Logf("%s%s|%s|%s|%s|%s|%s", Mark, r.Name, r.Measured, r.Reference, figure(r.Value), figure(r.Limit), ok)
	if r.Value > r.Limit {
		t.Errorf("%s: %s (%s), at most %s", r.Name, figure(r.Value), r.Measured, figure(r.Limit))
	}
}

func figure(v float64) string {
	if v == float64(int64(v)) {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// MB writes bytes as megabytes (2^20).
func MB(bytes float64) string { return fmt.Sprintf("%.1f MB", bytes/(1<<20)) }

// Timed skips a limit that is a time where other tests run beside it: make test runs these once more, one package at a time, without the race
// detector and with LIMITS set.
func Timed(t testing.TB) {
	t.Helper()
	if os.Getenv("LIMITS") == "" {
		t.Skip("times are measured alone: LIMITS=1 go test -p 1 -run '^TestLimit'")
	}
}
