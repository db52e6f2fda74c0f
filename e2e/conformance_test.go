package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// suite is the entry of a version of the conformance suite.
func suite(t *testing.T, version string) []string {
	t.Helper()
	return []string{node(t), filepath.Join("node_modules", version, "dist", "index.js"), "server"}
}

const (
	suiteStable = "conformance-stable"                // 0.1.16
	suiteNext   = "@modelcontextprotocol/conformance" // 0.2.0-alpha.12
	faultsFile  = "conformance/upstream-faults.yml"   // what only the library can mend
)

var passed = regexp.MustCompile(`(?m)^✓ (\S+): \d+ passed, 0 failed`)

// TestConformance runs the protocol's conformance suite, both versions and both revisions, against one process with the product's factory
// and guards. The suite's exit code follows the scenarios that a revision requires; what it runs beside them is shown.
func TestConformance(t *testing.T) {
	node(t)
	bin := filepath.Join(t.TempDir(), "conformance")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./conformance").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := startHTTP(t, nil, bin)
	for _, c := range []struct {
		version string
		args    []string
		pass    int // scenarios that pass at least, as "required + not scored"
	}{
		{suiteStable, []string{"--suite", "active"}, 30},
		{suiteNext, []string{"--requirements", "2025-11-25"}, 30 + 3},
		{suiteNext, []string{"--requirements", "2026-07-28", "--expected-failures", faultsFile}, 36 + 3},
	} {
		t.Run(strings.Join(append([]string{c.version}, c.args[1]), " "), func(t *testing.T) {
			args := append(suite(t, c.version), append([]string{"--url", s.url, "-o", t.TempDir()}, c.args...)...)
			o := run(t, nil, "", args[0], args[1:]...)
			_, summary, _ := strings.Cut(o.stdout, "=== SUMMARY ===")
			if n := len(passed.FindAllString(summary, -1)); o.code != 0 || n < c.pass {
				t.Errorf("exit %d, %d scenarios passed, want %d\n%s%s", o.code, n, c.pass, summary, o.stderr)
			}
		})
	}
}

// TestConformanceOfProgram runs the scenarios that need no fixtures against the program itself.
func TestConformanceOfProgram(t *testing.T) {
	node(t)
	s := demoHTTP(t)
	for revision, scenarios := range map[string]string{
		"2025-11-25": "server-initialize ping completion-complete tools-list resources-list prompts-list server-sse-multiple-streams dns-rebinding-protection server-session-lifecycle server-sse-polling",
		"2026-07-28": "completion-complete tools-list resources-list prompts-list caching server-sse-multiple-streams sep-2164-resource-not-found dns-rebinding-protection input-required-result-missing-input-response " +
			"input-required-result-unsupported-methods input-required-result-ignore-extra-params input-required-result-validate-input http-header-validation",
	} {
		for scenario := range strings.FieldsSeq(scenarios) {
			args := append(suite(t, suiteNext), "--url", s.url, "--scenario", scenario, "--spec-version", revision, "-o", t.TempDir())
			if o := run(t, nil, "", args[0], args[1:]...); o.code != 0 {
				t.Error(fmt.Sprintf("%s of %s: exit %d\n", scenario, revision, o.code), o.stdout, o.stderr)
			}
		}
	}
}
