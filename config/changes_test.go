package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const oneCluster = "clusters:\n- name: home\n  endpoints: [https://a]\n  token: " + canaryToken + "\n"

func TestChanges(t *testing.T) {
	t.Parallel()
	cfg, _, err := loadText(t, oneCluster+`
changes:
  maximum: destructive
  approval: {disruptive: operator}
  deny: [{tag: Production}, {pool: infra, node: pve1}]
  allow: [{vmid: "100-199, 300"}, {cluster: home, vmid: [400, 500-510]}]
  caps: {per_plan: 10, destroy_per_hour: 1}
  backup_within: 48h
  snapshot_first: true
  images: [cloud.debian.org, "http://192.168.1.5:8080"]
  ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH2fFLMrlUkCZqxhp8JOBh47Sh9E9+UkAnFuPWl8IzG7 me]
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Changes{Maximum: "destructive", OperatorToo: true, Deny: []Scope{{Tag: "Production"}, {Pool: "infra", Node: "pve1"}},
		Allow: []Scope{{VMIDs: [][2]int{{100, 199}, {300, 300}}}, {Cluster: "home", VMIDs: [][2]int{{400, 400}, {500, 510}}}},
		Caps:  Caps{PerPlan: 10, DestroyPerHour: 1}, BackupWithin: 48 * time.Hour, SnapshotFirst: true,
		Images: []string{"cloud.debian.org", "http://192.168.1.5:8080"}, SSHKeys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH2fFLMrlUkCZqxhp8JOBh47Sh9E9+UkAnFuPWl8IzG7 me"}}
	if diff := cmp.Diff(want, cfg.Changes); diff != "" {
		t.Error(diff)
	}
}

// TestChangesRefused: a rule that would fit nothing, or everything, by mistake is an error and no rule.
func TestChangesRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"tier":            {"maximum: all", []string{"changes.maximum: must be one of reversible, disruptive, destructive, host"}},
		"approval":        {"approval: {disruptive: nobody}", []string{"changes.approval.disruptive: must be one of client, operator"}},
		"unknown cluster": {"deny: [{cluster: hmoe}]", []string{"changes.deny[0].cluster: is not the name of a configured cluster"}},
		"empty scope":     {"deny: [{}]", []string{"changes.deny[0]: names nothing: give cluster, node, pool, tag or vmid"}},
		"empty tag":       {"protected: [{tag: ''}]", []string{"changes.protected[0].tag: is empty"}},
		"vmid":            {"allow: [{vmid: 5-20}]", []string{"changes.allow[0].vmid: must be numbers from 100 or ranges of them, such as 105,200-210"}},
		"no list":         {"deny: production", []string{"changes.deny: must be a list: each scope starts with a dash, such as - tag: production"}},
		"cap":             {"caps: {per_hour: 0}", []string{"changes.caps.per_hour: must be a number from 1 to 100000"}},
		"backup":          {"backup_within: 2d", []string{"changes.backup_within: must be a duration with its unit, such as 48h0m0s"}},
		"image host":      {"images: [https://x/y]", []string{"changes.images[0]: must be a host, such as cloud.debian.org, or http://host where it has no https"}},
		"ssh key":         {"ssh_keys: [secret]", []string{"changes.ssh_keys[0]: must be a public key as in authorized_keys, such as ssh-ed25519 AAAA... me@home"}},
		"unknown key":     {"tier: host", []string{`changes: "tier" is not a setting; known here: allow, approval, backup_within, caps, deny, images, maximum, protected, snapshot_first, ssh_keys`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := loadText(t, oneCluster+"changes:\n  "+c.text+"\n", nil)
			if diff := cmp.Diff(c.want, texts(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
