package proxmox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// GuestConfig reads GET /nodes/{node}/{type}/{vmid}/config: the configuration with pending changes merged (pve-api.md 41), whole,
// secrets masked. The key "digest" is the SHA-1 of the file.
func (c *Client) GuestConfig(ctx context.Context, node string, t pve.GuestType, vmid int) (pve.Config, error) {
	return c.config(ctx, "nodes", node, t, vmid, "config")
}

// SnapshotConfig reads the configuration that a snapshot holds. Proxmox VE returns cipassword in clear there, even to an auditor
// (pve-api.md 50); it is masked here.
func (c *Client) SnapshotConfig(ctx context.Context, node string, t pve.GuestType, vmid int, snapshot string) (pve.Config, error) {
	return c.config(ctx, "nodes", node, t, vmid, "snapshot", snapshot, "config")
}

// GuestStatus reads GET .../status/current, the live truth about a guest. It may block.
func (c *Client) GuestStatus(ctx context.Context, node string, t pve.GuestType, vmid int) (pve.GuestStatus, error) {
	return get[pve.GuestStatus](ctx, c, nil, "nodes", node, t, vmid, "status", "current")
}

// Snapshots reads GET .../snapshot, without the pseudo entry "current" at its end (pve-api.md 46). It may block.
func (c *Client) Snapshots(ctx context.Context, node string, t pve.GuestType, vmid int) ([]pve.Snapshot, error) {
	rows, err := small[pve.Snapshot](ctx, c, nil, "nodes", node, t, vmid, "snapshot")
	out := rows[:0]
	for _, r := range rows {
		if r.Name != "current" {
			r.Description = masked(r.Description)
			out = append(out, r)
		}
	}
	return out, err
}

// guestInterface is what the agent (16/008) and containers (06/036) report. Older containers send inet and inet6 only.
type guestInterface struct {
	Name  pve.Text `json:"name"`
	MAC   pve.Text `json:"hardware-address"`
	HW    pve.Text `json:"hwaddr"`
	Inet  pve.Text `json:"inet"`
	Inet6 pve.Text `json:"inet6"`
	Addrs []struct {
		Address pve.Text `json:"ip-address"`
		Prefix  *pve.Int `json:"prefix"`
	} `json:"ip-addresses"`
}

// GuestAddresses asks a running guest for its interfaces: VMs through the agent, containers through the host. It may block for seconds;
// AgentState explains the errors of VMs. A stopped container answers null: nil, without an error.
func (c *Client) GuestAddresses(ctx context.Context, node string, t pve.GuestType, vmid int) ([]pve.Interface, error) {
	tail := []any{"nodes", node, t, vmid, "interfaces"}
	if t == pve.Qemu {
		tail = []any{"nodes", node, t, vmid, "agent", "network-get-interfaces"}
	}
	path, err := Path(tail...)
	if err != nil {
		return nil, err
	}
	e, err := c.roundTrip(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	out, err := decodeInterfaces(t, e.Data)
	if err != nil {
		return nil, badAnswer(http.MethodGet, path, err)
	}
	return out, nil
}

func decodeInterfaces(t pve.GuestType, raw json.RawMessage) ([]pve.Interface, error) {
	if t == pve.Qemu {
		var agent struct {
			Result json.RawMessage `json:"result"`
		}
		if err := json.Unmarshal(raw, &agent); err != nil {
			return nil, err
		}
		raw = agent.Result
	} else if string(raw) == "null" {
		return nil, nil
	}
	if len(raw) == 0 {
		return nil, fmt.Errorf("expected a list, found nothing")
	}
	rows, _, err := pve.DecodeRows[guestInterface](raw)
	if err != nil {
		return nil, err
	}
	out := make([]pve.Interface, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.domain())
	}
	return out, nil
}

func (g guestInterface) domain() pve.Interface {
	i := pve.Interface{Name: string(g.Name), MAC: strings.ToUpper(string(g.MAC)), Addresses: []string{}}
	if i.MAC == "" {
		i.MAC = strings.ToUpper(string(g.HW))
	}
	for _, a := range g.Addrs {
		text := string(a.Address)
		if a.Prefix != nil && text != "" {
			text += fmt.Sprintf("/%d", *a.Prefix)
		}
		if text != "" {
			i.Addresses = append(i.Addresses, text)
		}
	}
	if len(g.Addrs) == 0 {
		for _, a := range []pve.Text{g.Inet, g.Inet6} {
			if a != "" {
				i.Addresses = append(i.Addresses, string(a))
			}
		}
	}
	return i
}

// AgentRead asks a VM's agent a command that only reads (GET agent/{command}): the result that stands in data.result (16/007 to 16/016).
// It may block for seconds; AgentState explains its errors.
func (c *Client) AgentRead(ctx context.Context, node string, vmid int, command string) (json.RawMessage, error) {
	path, err := Path("nodes", node, pve.Qemu, vmid, "agent", command)
	if err != nil {
		return nil, err
	}
	e, err := c.roundTrip(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	var agent struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(e.Data, &agent); err != nil || len(agent.Result) == 0 {
		return nil, badAnswer(http.MethodGet, path, cmp.Or(err, errNoResult))
	}
	return agent.Result, nil
}

// errNoResult is an answer of an agent without what was asked for.
var errNoResult = errors.New("expected data.result, found nothing")

// AgentState names why a guest could not be asked for its addresses: not_configured, not_running, guest_off, denied, slow, or "" for
// any other error (F37).
func AgentState(err error) string {
	f := fault.Of(err)
	if f == nil {
		return ""
	}
	text := f.Message + " " + f.Cause
	switch {
	case strings.Contains(text, "No QEMU guest agent configured"):
		return "not_configured"
	case strings.Contains(text, "guest agent is not running"):
		return "not_running"
	case strings.Contains(text, "is not running"):
		return "guest_off"
	case f.Code == fault.Forbidden:
		return "denied"
	case f.Code == fault.Timeout, strings.Contains(text, "got timeout"):
		return "slow"
	}
	return ""
}
