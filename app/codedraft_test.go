package app

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// TestCodeOfPlan: a guest that a plan would make is described as it would be exported, without anything being made.
func TestCodeOfPlan(t *testing.T) {
	t.Parallel()
	c := newCoder(t)
	c.sync()
	c.p.grants.Process = []change.Grant{{Tier: change.Host}}
	plan := func(tool, args string) string {
		t.Helper()
		text, err := c.call(tool, args)
		if err != nil {
			t.Fatal(err)
		}
		return planShape.FindString(text)
	}
	for name, made := range map[string][2]string{
		"clone":     {"clone_guest", `{"guest":"900","name":"web2","set":["memory=4096"],"grow":"20G","dry_run":true}`},
		"create":    {"create_vm", `{"name":"web3","disks":["64"],"memory_mib":4096,"dry_run":true}`},
		"container": {"create_container", `{"name":"dns2","template":"debian-13","mounts":["local-lvm:20,mp=/data"],"dry_run":true}`},
	} {
		id := plan(made[0], made[1])
		drafted, err := c.call("describe_as_code", `{"plan":"`+id+`"}`)
		if !noted.MatchString(drafted) {
			t.Errorf("%s: an import block that fails is not told of:\n%s", name, drafted)
		}
		drafted = noted.ReplaceAllString(drafted, "")
		if err != nil || !strings.Contains(drafted, "as plan "+id+" would make it") {
			t.Fatalf("%s: %v\n%s", name, err, drafted)
		}
		if _, err := c.call("describe_as_code", `{"plan":"`+id+`","guest":"other"}`); fault.CodeOf(err) != fault.Ambiguous {
			t.Errorf("%s: %v", name, err)
		}
		c.says("apply_plan", `{"plan":"`+id+`"}`, "done")
		c.sync()
		real, err := c.call("describe_as_code", `{"guest":"`+vmidIn(drafted)+`"}`)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(comparable(drafted, name), comparable(real, name)); diff != "" {
			t.Errorf("%s: as planned, as made: %s", name, diff)
		}
	}
	id := plan("power_guest", `{"guest":"204","action":"start","dry_run":true}`)
	if _, err := c.call("describe_as_code", `{"plan":"`+id+`"}`); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a plan that makes nothing: %v", err)
	}
	if _, err := c.call("describe_as_code", `{}`); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("neither guest nor plan: %v", err)
	}
}

// noted is the comment before the code of a guest that does not exist.
var noted = regexp.MustCompile(`(?m)^.*# The guest does not exist yet: the import block fails until its plan has run\..*\n`)

func vmidIn(text string) string {
	return regexp.MustCompile(`vm_id\s+= (\d+)`).FindStringSubmatch(text)[1]
}

// comparable is code without what Proxmox VE chooses by itself.
func comparable(text, kind string) []string {
	var out []string
	if kind == "container" { // what it runs is read from its template when it is made
		text = regexp.MustCompile(`(?s)  operating_system \{.*?\n  }\n\n|      operating_system[^\n]*\n`).ReplaceAllString(text, "")
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "as ") {
			break
		}
		if !strings.Contains(line, "mac_address") {
			out = append(out, strings.Join(strings.Fields(line), " "))
		}
	}
	return out
}
