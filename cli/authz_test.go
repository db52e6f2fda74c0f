package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// verbs are the commands outside of the tool table, with what they take. A command that is in neither fails the test.
var verbs = map[string]string{
	"serve": "the tools, as far as they are allowed", "demo": "a simulated cluster", "init": "writes the configuration; a terminal",
	"setup":  "writes the configuration, and the clients' files after a yes; the passphrase on a terminal alone",
	"doctor": "reads", "version": "nothing", "db path": "nothing", "db check": "reads the store", "db backup": "reads the store",
	"sim serve": "a simulated cluster", "sim replay": "a simulated cluster", "sim faults": "nothing",
	"intent set": "what is meant to be so, in the store", "intent clear": "what is meant to be so, in the store", "intent list": "reads the store",
	"operator init": "a terminal, and the old passphrase where there is one", "allow": "a terminal and the passphrase; --none and the list: nothing",
	"grant": "a terminal and the passphrase", "stop": "nothing; --off: a terminal and the passphrase",
	"plan approve": "a terminal or a page of this machine, the ids of what is destroyed, and the passphrase; the list: nothing",
	"plan reject":  "a terminal and the passphrase", "plan watch": "reads the store",
	"recipe list": "reads files", "recipe show": "reads files", "recipe run": "the tools of its steps, as far as they are allowed",
	"audit list": "reads the store", "audit export": "reads the store", "audit verify": "reads the store",
	"token create": "nothing; --tier above read: a terminal and the passphrase", "token list": "reads the store, never a token", "token revoke": "the store",
	"secret set": "a terminal", "secret list": "reads the store, never a value", "secret rm": "the store",
}

// agrees is who has to agree to a tier under the default policy, when it is allowed.
var agrees = map[tools.Tier]string{tools.R0: "nobody", tools.R1: "nobody", tools.R2: "the client's user, else a second call (approval.disruptive: operator: an operator)",
	tools.R3: "an operator", tools.R4: "an operator"}

// TestAuthorization keeps docs/authorization.md: every tool and command with its tier and who has to agree, made from the table of tools
// (S35). What is in no table fails.
func TestAuthorization(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Who may do what\n\nMade from the table of tools and the commands by a test; `UPDATE_GOLDEN=1 go test ./cli` writes it anew.\n\n" +
		"| tool | command | action | tier | listed and possible from | who agrees |\n|---|---|---|---|---|---|\n")
	listed := map[string]bool{}
	for _, s := range tools.All() {
		listed[s.Command] = true
		acts := s.Acts
		if len(acts) == 0 {
			acts = []tools.Act{{Tier: s.Tier}}
		}
		for _, a := range acts {
			from := "always"
			if a.Tier > tools.R0 {
				from = "allow " + a.Tier.String()
			}
			if s.Option {
				from += ", and only what agent.exec of the configuration names"
			}
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s | %s |\n", s.Name, s.Command, a.Name, a.Tier, from, agrees[a.Tier])
		}
	}
	b.WriteString("\nEach write is judged by the rules of the configuration as well, on the state before its plan and on the live one. A tool without actions of its own " +
		"takes the tier of what it does: a plan's is that of its highest step, a change of tags and notes is reversible, of all else disruptive.\n\n" +
		"Recovery before destruction: with `changes.backup_within` nothing is destroyed, rolled back or erased without a backup of that age or younger; with " +
		"`changes.snapshot_first` a disruptive change of a guest's configuration begins with a snapshot of it, and waits for an operator where none can be taken.\n\n" +
		"| command of the owner | takes |\n|---|---|\n")
	var names []string
	for _, c := range all(t) {
		name := strings.TrimPrefix(c.CommandPath(), "proxmox-mcp ")
		if !c.HasSubCommands() && !listed[name] {
			names = append(names, name)
			if verbs[name] == "" {
				t.Errorf("%s is neither a tool nor in the table of commands", name)
			}
		}
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Fprintf(&b, "| `%s` | %s |\n", n, verbs[n])
	}
	for v := range verbs {
		if !slices.Contains(names, v) {
			t.Errorf("%s is in the table and no command", v)
		}
	}
	path := filepath.Join("..", "docs", "authorization.md")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != b.String() {
		t.Errorf("%s is not what the tables say (%v); UPDATE_GOLDEN=1 writes it", path, err)
	}
}
