package tools

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tiktoken-go/tokenizer"

	"github.com/proxmox-mcp/proxmox-mcp/internal/limits"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

func tokens(t *testing.T, s string) int {
	t.Helper()
	enc, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	ids, _, err := enc.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return len(ids)
}

// TestBudgetTools is the gate on what the tool list costs a model: o200k tokens of {name, description, input_schema}.
func TestBudgetTools(t *testing.T) {
	const reading, all, lifecycle, eachReading, each, outputs = 3600, 9000, 7000, 250, 400, 600
	read, sum, code, out, most, mostReading := 0, 0, 0, 0, 0, 0
	for _, s := range All() {
		api, err := json.Marshal(map[string]any{"name": s.Name, "description": s.Summary, "input_schema": s.InputSchema(Caller{Level: R4})})
		if err != nil {
			t.Fatal(err)
		}
		n := tokens(t, string(api))
		t.Logf("%-14s %4d tokens", s.Name, n)
		most = max(most, n)
		if n > each || s.Tier == R0 && n > eachReading {
			t.Errorf("%s costs %d tokens, at most %d, for reading %d", s.Name, n, each, eachReading)
		}
		sum += n
		if s.Family == "code" {
			code += n
		}
		if s.Tier == R0 {
			read, mostReading = read+n, max(mostReading, n)
		}
		if s.Handle != nil {
			out += tokens(t, string(s.OutputSchema()))
		}
	}
	for _, r := range []struct {
		name       string
		got, limit int
	}{
		{"tools/list of the read tools, tokens", read, reading}, {"tools/list of everything, tokens", sum, all}, {"tools/list of everything but code, tokens", sum - code, lifecycle},
		{"the dearest read tool, tokens", mostReading, eachReading}, {"the dearest tool, tokens", most, each}, {"output schemas, tokens", out, outputs},
	} {
		limits.Report(t, limits.Row{Name: r.name, Measured: fmt.Sprint(r.got), Value: float64(r.got), Limit: float64(r.limit)})
	}
}

// TestBudgetAnswers is the gate on what answers cost.
func TestBudgetAnswers(t *testing.T) {
	hundred, thousand := manyGuests(100), manyGuests(1000)
	thousand.Rows, thousand.NextCursor = thousand.Rows[:50], "50-3f9a"
	for _, c := range []struct {
		name, tool, args string
		f                *fake
		limit            int
	}{
		{"100 guests", "find_guests", `{"limit":100}`, &fake{page: hundred}, 1900},
		{"page one of 1,000 guests", "find_guests", `{}`, &fake{page: thousand}, 1100},
		{"one guest", "get_guest", `{"guest":"104"}`, &fake{guest: oneGuest()}, 350},
		{"one guest, full", "get_guest", `{"guest":"104","detail":"full"}`, &fake{guest: oneGuest()}, 900},
		{"50 changes of long values", "find_changes", `{}`, &fake{changes: longChanges(50)}, 3000},
		{"health of 10,000 guests, hostile names", "check_health", `{}`, &fake{health: worstHealth(hostileName)}, 900},
		{"health of 10,000 guests", "check_health", `{}`, &fake{health: worstHealth(func(int) string { return "pve-data storage is full since yesterday, and so on" })}, 900},
		{"overview of 1,000 guests", "get_overview", `{}`, &fake{overview: bigOverview()}, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := text(t, c.f, c.tool, c.args)
			n := tokens(t, out)
			limits.Report(t, limits.Row{Name: "answer: " + c.name + ", tokens", Measured: fmt.Sprint(n), Value: float64(n), Limit: float64(c.limit)})
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}

// TestSchemasPortable holds the rules that clients enforce: a flat closed object without combinators, a type everywhere.
func TestSchemasPortable(t *testing.T) {
	for _, s := range All() {
		for _, c := range []Caller{{Level: R4}, {Level: R4, MultiCluster: true}} {
			var schema map[string]any
			if err := json.Unmarshal(s.InputSchema(c), &schema); err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			if schema["type"] != "object" || schema["additionalProperties"] != false {
				t.Errorf("%s: input schema is not a closed object", s.Name)
			}
			for _, k := range []string{"oneOf", "anyOf", "allOf", "$ref", "not"} {
				if _, ok := schema[k]; ok {
					t.Errorf("%s: input schema has a top-level %s, which ends sessions of several clients", s.Name, k)
				}
			}
			_, has := schema["properties"].(map[string]any)["cluster"]
			takes := slices.ContainsFunc(s.Inputs(Caller{MultiCluster: true}), func(i Input) bool { return i.Name == "cluster" })
			if has != (c.MultiCluster && takes) || s.Tier == R0 && !takes { // a plan belongs to one cluster by itself
				t.Errorf("%s: input cluster shown = %v with several clusters = %v", s.Name, has, c.MultiCluster)
			}
		}
		if s.Summary == "" || s.Title == "" || s.Command == "" || len(s.Examples) == 0 {
			t.Errorf("%s: summary, title, command and examples are all needed", s.Name)
		}
		if s.Handle != nil && s.Handle.Kind() != reflect.Struct {
			t.Errorf("%s: the structured result must be an object", s.Name)
		}
	}
}

// worstHealth are the findings of a large cluster in trouble, grouped as inventory groups them, with names that cost the most, or plain ones.
func worstHealth(name func(i int) string) inventory.Health {
	h := inventory.Health{Meta: meta(12 * time.Second), Checks: 24, Silenced: map[string]int{"onboot_stopped": 1200, "node_offline": 3, "no_backup": 31}}
	for i := range 90 {
		h.Findings = append(h.Findings, inventory.Finding{Severity: inventory.Warn, Code: "memory_overcommit", Object: "guest 10042 " + name(i), Title: name(i + 1), Evidence: name(i+2) + ", " + name(i+3),
			Since: meta(12 * time.Second).AsOf.Add(-time.Hour), Hint: name(i + 4)})
	}
	for i := range 23 {
		h.Checked = append(h.Checked, "check"+strconv.Itoa(i))
		h.Skipped = append(h.Skipped, "disk_health, zfs_pool on pve"+strconv.Itoa(i)+": "+name(i))
	}
	return h
}

// hostileName costs a token for each letter or two.
func hostileName(i int) string {
	r := rand.New(rand.NewPCG(1, uint64(i)))
	odd := []rune("qxzjkvwQXZJKW0123456789-_漢字かなжщэ🜁")
	var b strings.Builder
	for range 80 {
		b.WriteRune(odd[r.IntN(len(odd))])
	}
	return b.String()
}
