package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// faultNames are all faults of the fault list.
var faultNames = strings.Split(`a kept connection closes under a request
a connection or worker ends after so many requests
each error closes its connection
a refused login takes 3 s
a ticket expires
clocks differ
a token without rights of its own: empty lists
rights for a part
the reason in the phrase alone
a front drops the reason
a node down
a node's certificate does not fit
a node hangs
answers cut or spoilt on their way
a node off for more than 300 s
statistics stand still
no quorum
a node that stands alone
quorate with a member off
members' addresses lead nowhere
the entry node dies
a task shows late, or vanishes
a node restarted during a task
a task ends with warnings
a task's log is long
the HA manager acts late
a lock file is held
a guest is locked by a task
a guest is locked by nobody
an id is taken between asking and using
a vmid is used again
a guest has migrated
somebody else edits at the same time
types change between versions
a call that this version has not
what only root may set
a guest's agent is off or slow
an agent call harms the guest
a storage hangs
a node is slow
a certificate changed, or somebody in between
the same cluster given twice
a shared storage on each node
our process is killed during a change
our database is locked, full or torn
a proxy answers by itself
a restart of the API server
more tasks than a list holds
an edit that leaves no trace
asking disks wakes them
hostile names and notes
tokens in task ids; tasks of others
counters begin anew
data null after a login went stale
the list names the old node`, "\n")

// heldElsewhere are the tests of faults beyond the matrix of reads: writes, our own process and its store.
var heldElsewhere = map[string][]string{
	"F26": {"change TestHA"},
	"F36": {"change TestRootOnly"},
	"F42": {"app TestAClaimIsNoProof"},
	"F44": {"change TestCrash", "change TestCrashOfBatch"},
	"F45": {"change TestDiskFull", "store TestBusy", "store TestFull", "store TestAuditFull", "store TestTornWAL", "store TestFlippedPages", "store TestPostgresBusy"},
}

// TestFaultList holds docs/faults.md to the tests: which fault is held by which.
func TestFaultList(t *testing.T) {
	t.Parallel()
	writes, err := os.ReadFile(filepath.Join("..", "change", "matrix_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Faults and the tests that hold them\n\n" +
		"Each row of `app TestFaults` runs every tool that reads, with a full store and at first contact, in virtual time, and holds four things: nothing is\n" +
		"recorded that did not happen, nothing is sent twice, nothing is claimed that was not observed, nobody waits longer than stated. `change TestWriteFaults`\n" +
		"does so with every action. Written by `UPDATE_GOLDEN=1 go test ./app -run TestFaultList`.\n\n| fault | what goes wrong | held by |\n|---|---|---|\n")
	for i, name := range faultNames {
		id := fmt.Sprintf("F%02d", i+1)
		var held []string
		if n := len(slices.DeleteFunc(matrixRows(), func(r faultRow) bool { return r.id != id })); n > 0 {
			held = append(held, fmt.Sprintf("app TestFaults (%d)", n))
		}
		if n := strings.Count(string(writes), `"`+id+`"`); n > 0 {
			held = append(held, fmt.Sprintf("change TestWriteFaults (%d)", n))
		}
		for _, test := range heldElsewhere[id] {
			if !hasTest(t, test) {
				t.Errorf("%s: there is no %s", id, test)
			}
			held = append(held, test)
		}
		if len(held) == 0 {
			held = append(held, "no test yet")
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", id, name, strings.Join(held, ", "))
	}
	path := filepath.Join("..", "docs", "faults.md")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("docs/faults.md differs (UPDATE_GOLDEN=1 go test ./app -run TestFaultList writes it):\n%s", diff)
	}
}

// hasTest says that "package TestName" exists.
func hasTest(t *testing.T, name string) bool {
	t.Helper()
	dir, test, _ := strings.Cut(name, " ")
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(f string) bool {
		b, err := os.ReadFile(f)
		return err == nil && strings.Contains(string(b), "\nfunc "+test+"(")
	})
}
