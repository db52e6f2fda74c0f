package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAgent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, tag string
		allow     []string
	}{
		"default tag": {"agent: {exec: {allow: [systemctl status *, \"df ...\"]}}", "mcp-exec", []string{"systemctl status *", "df ..."}},
		"own tag":     {"agent:\n  exec:\n    allow: [uptime]\n    tag: ops\n", "ops", []string{"uptime"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, _, err := loadText(t, oneCluster+c.text+"\n", nil)
			if err != nil {
				t.Fatal(err)
			}
			var allow []string
			for _, r := range cfg.Agent.Exec.Allow {
				allow = append(allow, r.String())
			}
			if diff := cmp.Diff(c.allow, allow); diff != "" || cfg.Agent.Exec.Tag != c.tag {
				t.Error(diff, cfg.Agent.Exec.Tag)
			}
		})
	}
}

func TestAgentRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"no program":  {"{allow: [\"* status\"]}", []string{"agent.exec.allow[0]: must name its program: the first word has no *, such as systemctl status *"}},
		"bad tag":     {"{allow: [uptime], tag: \"Has Blank\"}", []string{"agent.exec.tag: must be a tag: small letters, digits and - _ . +, such as mcp-exec"}},
		"tag alone":   {"{tag: ops}", []string{"agent.exec.tag: allows nothing without agent.exec.allow"}},
		"unknown key": {"{rules: [uptime]}", []string{`agent.exec: "rules" is not a setting; known here: allow, tag`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := loadText(t, oneCluster+"agent:\n  exec: "+c.text+"\n", nil)
			if diff := cmp.Diff(c.want, texts(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
