package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/tiktoken-go/tokenizer"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// TestInstructions: they name what is allowed, the way of a change and who approves, and cost at most 400 tokens.
func TestInstructions(t *testing.T) {
	enc, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	for level, want := range map[tools.Tier][]string{
		tools.R0: {"changes nothing", "proxmox-mcp allow reversible", "!apply_plan", "!undo_change"},
		tools.R1: {"up to reversible", "undo_change", "!apply_plan", "!the owner"},
		tools.R2: {"up to disruptive", "apply_plan", "undo_change", "!the owner"},
		tools.R3: {"up to destructive", "apply_plan", "the owner", "!This server changes nothing"},
		tools.R4: {"up to host", "the owner"},
	} {
		got := Instructions(level, tools.Listed(level))
		for _, w := range want {
			if no := strings.HasPrefix(w, "!"); strings.Contains(got, strings.TrimPrefix(w, "!")) == no {
				t.Errorf("%s: %q in or not in %s", level, w, got)
			}
		}
		n, err := enc.Count(got)
		if err != nil || n > 400 {
			t.Errorf("%s: %d tokens (%v), at most 400", level, n, err)
		}
	}
}

// TestInstructionsOfAnySet: for each combination of families at each level, and for each tool alone, the instructions name no tool that is
// not offered, and cost at most 400 tokens.
func TestInstructionsOfAnySet(t *testing.T) {
	enc, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	families, seen := tools.Families(), map[string]int{}
	check := func(level tools.Tier, set tools.Toolset) {
		offered := set.Of(tools.Listed(level))
		text := Instructions(level, offered)
		for _, s := range tools.All() {
			if strings.Contains(text, s.Name) && !slices.ContainsFunc(offered, func(o tools.Spec) bool { return o.Name == s.Name }) {
				t.Errorf("%s %v: %s is named and not offered:\n%s", level, set, s.Name, text)
			}
		}
		if seen[text] > 0 {
			return
		}
		if seen[text], err = enc.Count(text); err != nil || seen[text] > 400 {
			t.Errorf("%s %v: %d tokens (%v)", level, set, seen[text], err)
		}
	}
	for level := tools.R0; level <= tools.R4; level++ {
		for bits := range 1 << len(families) {
			var set tools.Toolset
			for k, f := range families {
				if bits&(1<<k) != 0 {
					set.Families = append(set.Families, f)
				}
			}
			check(level, set)
		}
		for _, s := range tools.All() {
			check(level, tools.Toolset{Tools: []string{s.Name}})
			check(level, tools.Toolset{Exclude: []string{s.Name}})
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d texts", len(seen))
	}
}

// TestInstructionsOfSession: a client is told what holds when it connects.
func TestInstructionsOfSession(t *testing.T) {
	level := tools.R0
	srv := New(Options{Version: "test", Specs: tools.All(), Logger: slog.New(slog.DiscardHandler), Level: func(context.Context) tools.Tier { return level }})
	for _, l := range []tools.Tier{tools.R0, tools.R3} {
		level = l
		for _, message := range []string{initialize, `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`} {
			got := srv.HandleMessage(t.Context(), []byte(message))
			raw, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if text := string(raw); !strings.Contains(text, strings.Split(Instructions(l, tools.Listed(l)), "\n")[3][:30]) {
				t.Errorf("%s: %.60s answers %s", l, message, text)
			}
		}
	}
}
