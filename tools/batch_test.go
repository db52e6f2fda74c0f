package tools

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// batches is an engine that is never asked to plan anything: what is refused here comes before it.
type batches struct{ Changes }

func (batches) Batch(tool string, who change.Caller) *change.Batch {
	return (&change.Engine{}).Batch(tool, who)
}

// TestBatchInput: a call that cannot be a part of a plan is refused with its number, however the list is written.
func TestBatchInput(t *testing.T) {
	s, err := Find("plan_batch")
	if err != nil {
		t.Fatal(err)
	}
	d := deps(&fake{})
	d.Changes = batches{}
	for _, c := range []struct{ name, args, want string }{
		{"a tool that reads", `{"steps":[{"tool":"get_guest","args":{"guest":"104"}}]}`, "step 1 (get_guest): it makes no plan"},
		{"an undo", `{"steps":[{"tool":"undo_change","args":{"plan":"p-7k3f9q2m"}}]}`, "step 1 (undo_change): it makes no plan"},
		{"itself", `{"steps":[{"tool":"plan_batch","args":{}}]}`, "step 1 (plan_batch): it makes no plan"},
		{"no such tool", `{"steps":[{"tool":"power_gust","args":{}}]}`, `step 1 (power_gust): there is no tool "power_gust"`},
		{"a wrong value", `{"steps":[{"tool":"power_guest","args":{"guest":"104","action":"fly"}}]}`, "step 1 (power_guest): action: must be one of start"},
		{"an unknown input", `{"steps":[{"tool":"power_guest","args":{"vm":"104","action":"start"}}]}`, `"vm": is not an input of this tool`},
		{"a dry run of one", `{"steps":[{"tool":"power_guest","args":{"guest":"104","action":"start","dry_run":true}}]}`, "dry_run: it is an input of the batch"},
		{"a step ahead", `{"steps":[{"tool":"power_guest","args":{"guest":"$1.vmid","action":"start"}}]}`, "$1.vmid names no step before this one"},
		{"a list in a text", `{"steps":"[{\"tool\":\"get_guest\"}]"}`, "step 1 (get_guest): it makes no plan"},
		{"objects in texts", `{"steps":["{\"tool\":\"get_guest\",\"args\":\"{}\"}"]}`, "step 1 (get_guest): it makes no plan"},
		{"no tool", `{"steps":[{"args":{}}]}`, "steps, entry 1: tool: is required"},
		{"args that are no object", `{"steps":[{"tool":"power_guest","args":[1]}]}`, "steps, entry 1: args: must be a JSON object"},
		{"no list", `{"steps":3}`, "steps: must be a list of objects"},
		{"no steps", `{"steps":[]}`, "steps: is required"},
		{"too many", `{"steps":[` + strings.TrimSuffix(strings.Repeat(`{"tool":"get_guest"},`, 21), ",") + `]}`, "at most 20 calls"},
	} {
		_, err := s.Call(t.Context(), d, json.RawMessage(c.args))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestReferences: what stands for an earlier step's choice is replaced wherever a text holds it; nothing else is.
func TestReferences(t *testing.T) {
	chosen := []choice{choiceOf([]change.Step{{Target: change.Target{VMID: 104, Name: "web", Node: "pve1"}}}),
		choiceOf([]change.Step{{Target: change.Target{VMID: 104}}, {Makes: true, Target: change.Target{New: true, VMID: 120, Name: "copy", Node: "pve2"}},
			{Target: change.Target{New: true, VMID: 120}}, {Target: change.Target{Kind: "volume", Object: "local:iso/a.iso"}}}),
		choiceOf([]change.Step{{Target: change.Target{VMID: 104}}, {Target: change.Target{VMID: 105}}})}
	for in, want := range map[string]string{
		`{"guest":"$1.vmid"}`: `{"guest":"104"}`,
		`{"set":["net0=virtio,bridge=vmbr0","ide2=$2.volid,media=cdrom"],"description":"$2.name of $1.name"}`: `{"description":"copy of web","set":["net0=virtio,bridge=vmbr0","ide2=local:iso/a.iso,media=cdrom"]}`,
		`{"query":"node:$2.node","newid":"$2.vmid"}`:                                                          `{"newid":"120","query":"node:pve2"}`,
		`{"description":"it costs $5 or $1"}`:                                                                 `{"description":"it costs $5 or $1"}`,
		`{"guest":"$3.vmid"}`:                                                                                 "step 3 has no vmid that is known before it runs",
		`{"guest":"$1.volid"}`:                                                                                "step 1 has no volid",
		`{"guest":"$4.vmid"}`:                                                                                 "names no step before this one",
	} {
		got, err := resolve(json.RawMessage(in), chosen)
		if text := string(got); err == nil && text != want || err != nil && (fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %s, %v, want %s", in, got, err, want)
		}
	}
}
