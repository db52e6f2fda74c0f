package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// firstStepsHead is the text around the transcript.
const firstStepsHead = `# First steps

What somebody sees who has this program, an empty home folder and a cluster with a certificate of its own. A test plays it on the simulated
homelab and compares this page with what it saw (` + "`UPDATE_GOLDEN=1 go test ./cli -run TestFirstSteps`" + ` writes it anew); addresses, fingerprints,
paths, ids and times are made equal. ` + "`←`" + ` marks what is typed, in the order in which it is typed; what is secret does not show.

To play it yourself, with a second terminal for the cluster:

` + "```sh" + `
proxmox-mcp sim serve --addr 127.0.0.1:18006       # prints address, token (of root@pam) and fingerprint
` + "```" + `

The token below is one that the lines of step 1 made, run as root on a node.

| | inputs |
|---|---|
`

// journey counts what a newcomer types, and keeps what they see.
type journey struct {
	*newcomer
	inputs int
	text   strings.Builder
}

func (j *journey) step(t *testing.T, title, line string, answers ...[2]string) string {
	t.Helper()
	fmt.Fprintf(&j.text, "\n## %s\n\n```console\n", title)
	j.inputs++
	fmt.Fprintf(&j.text, "$ proxmox-mcp %s    ← %d\n", line, j.inputs)
	said, code := j.types(t, answers, words(line)...)
	if code != 0 {
		t.Fatalf("%s: exit code %d\n%s", line, code, said)
	}
	j.text.WriteString(strings.TrimRight(said, "\n") + "\n```\n")
	return said
}

// same makes equal what differs from run to run.
func (j *journey) same(text string) string {
	text = strings.ReplaceAll(text, j.end.URL, "https://127.0.0.1:18006")
	text = strings.ReplaceAll(text, j.end.Fingerprint, "3F:9A:...:C4")
	text = strings.ReplaceAll(text, j.home, "/home/me")
	for _, r := range [][2]string{
		{`go run -C \S+ \./cmd/proxmox-mcp`, "/usr/local/bin/proxmox-mcp"},
		{`\bp-[a-z2-7]{8}\b`, "p-7k3f9q2m"}, {`\bt-[a-z2-7]{8}\b`, "t-4h5ab2cd"}, {`UPID:\S+`, "UPID:pve1:..."},
		{`2026-11-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)`, "2026-11-20T09:00:00Z"}, {`\d+s old`, "0s old"}, {`[ \t]+\n`, "\n"},
		// Load, and how far the background checks got, depend on when the machine comes to it.
		{`(pve\d  online +)\d+( +)\d+`, "${1}20${2}60"},
		{`(?s)\d+ problems, worst .*?\n(warning: pve3)`, "(the worst problems, as far as the checks got; health has all)\n$1"},
	} {
		text = regexp.MustCompile(r[0]).ReplaceAllString(text, r[1])
	}
	return text
}

// TestFirstSteps is the trial of a new user: at most 4 inputs to the first true answer, 8 to the first change, 10 to the first approved destruction.
func TestFirstSteps(t *testing.T) {
	j := &journey{newcomer: newNewcomer(t)}
	token := j.shell(t, j.recipe(t, "destructive"))
	j.looks = func(line string, _ bool) string {
		j.inputs++
		return fmt.Sprintf("%s    ← %d", line, j.inputs)
	}
	var counts [3]int
	said := j.step(t, "Connect", "setup --allow destructive",
		append(j.setupAnswers(token), [2]string{"new operator's passphrase", passphrase}, [2]string{"once more", passphrase})...)
	before, answer, found := strings.Cut(said, "What an agent sees:")
	if !found || !strings.Contains(answer, "25 guests (15 vm, 10 ct)") || strings.Contains(said, token) {
		t.Fatalf("no first answer:\n%s", said)
	}
	counts[0] = 1 + strings.Count(before, "    ← ")

	j.step(t, "Change something that can be taken back", "guest snapshot 208 create before")
	counts[1] = j.inputs
	j.sim.Update(func(w *pvesim.World) {
		if !slices.ContainsFunc(w.Guest(208).Snapshots, func(s *pvesim.Snapshot) bool { return s.Name == "before" }) {
			t.Error("there is no snapshot")
		}
	})

	j.step(t, "Destroy something, as its owner", "guest delete 208 --wait-s 60", [2]string{"(Enter leaves it waiting): ", "208"}, pass)
	counts[2] = j.inputs
	if j.exists(208) {
		t.Error("the guest is still there")
	}
	page := firstStepsHead
	for k, what := range []string{"to the first true answer", "to the first change", "to the first approved destruction"} {
		page += fmt.Sprintf("| %s | %d |\n", what, counts[k])
		if limit := []int{4, 8, 10}[k]; counts[k] > limit {
			t.Errorf("%d inputs %s, at most %d are meant", counts[k], what, limit)
		}
	}
	page += j.same(j.text.String())
	golden := filepath.Join("..", "docs", "first-steps.md")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	is, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(is), page); diff != "" {
		t.Errorf("docs/first-steps.md (-) and what is seen (+):\n%s", diff)
	}
}
