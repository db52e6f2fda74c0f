package tools

import (
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/sealed"
)

// TestAgreement: the answer to a question counts for who was asked, by the tool that asked, in time and unchanged; all else is an error and
// never a silent no.
func TestAgreement(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	box, err := sealed.New("", func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	deps := func(who string) Deps { return Deps{State: box, Who: change.Caller{Principal: who}} }
	const plan = "p-abcdefgh"
	asked := Spec{Name: "power_guest"}.askModern(deps("token:ann"), query{plan, "stop on 210?"})
	state := asked.RequestState
	if strings.Contains(state, plan) || asked.InputRequests[plan].Elicitation == nil {
		t.Fatalf("state %q, requests %v", state, asked.InputRequests)
	}
	yes := mcp.InputResponses{plan: mcp.NewElicitationInputResponse(mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionAccept}})}
	for name, c := range map[string]struct {
		who, tool, state string
		answers          mcp.InputResponses
		later            time.Duration
		plan             string
		refused          bool
	}{
		"as asked":          {"token:ann", "power_guest", state, yes, askLife - time.Second, plan, false},
		"no answer":         {"token:ann", "power_guest", state, nil, 0, "", false},
		"no state":          {"token:ann", "power_guest", "", yes, 0, "", false},
		"another principal": {"token:bob", "power_guest", state, yes, 0, "", true},
		"another tool":      {"token:ann", "delete_guest", state, yes, 0, "", true},
		"after its time":    {"token:ann", "power_guest", state, yes, askLife, "", true},
		"changed":           {"token:ann", "power_guest", state[:len(state)-4] + "AAAA", yes, 0, "", true},
		"the plan in clear": {"token:ann", "power_guest", plan, yes, 0, "", true},
	} {
		var r mcp.CallToolRequest
		r.Params.RequestState, r.Params.InputResponses = c.state, c.answers
		before := now
		now = now.Add(c.later)
		plan, accepted, err := Spec{Name: c.tool}.agreement(deps(c.who), r)
		now = before
		if plan != c.plan || accepted != (c.plan != "") || (fault.CodeOf(err) == fault.Denied) != c.refused || !c.refused && err != nil {
			t.Errorf("%s: %q, %v, %v", name, plan, accepted, err)
		}
	}
}

// TestForms: a client is asked where it can show a form, and no client that can only open addresses.
func TestForms(t *testing.T) {
	yes := &struct{}{}
	for _, c := range []struct {
		cap  *mcp.ElicitationCapability
		want bool
	}{{nil, false}, {&mcp.ElicitationCapability{}, true}, {&mcp.ElicitationCapability{Form: yes, URL: yes}, true}, {&mcp.ElicitationCapability{URL: yes}, false}} {
		if forms(c.cap) != c.want {
			t.Errorf("%+v: %v", c.cap, !c.want)
		}
	}
}
