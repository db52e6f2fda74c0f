package inventory

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// AgentParts are what a guest agent is asked for, in the order in which it is shown.
var AgentParts = []string{"os", "addresses", "filesystems", "users"}

const (
	// agentBudget is how long all questions to an agent may take, each of them addressBudget: Proxmox VE itself gives up after 3 s (16/075).
	agentBudget = 6 * time.Second
	// agentRows is the most that is kept of one list: what a guest tells is its own to make up.
	agentRows = 100
)

// AgentQuery asks a guest's agent. What is one of AgentParts, or "" for all.
type AgentQuery struct {
	Guest   string // vmid or name
	Cluster string
	What    string
}

// AgentInfo is what the programs inside of a guest say: data that anybody in the guest can make up. A part that was not asked for, or
// that was not told, is nil; Warnings say why.
type AgentInfo struct {
	Meta
	VMID        int
	Name        string
	Type        pve.GuestType
	Node        string
	OS          *AgentOS
	Interfaces  []AgentInterface
	Filesystems []AgentFilesystem
	Users       []AgentUser
}

// AgentOS is the operating system as it calls itself. Texts are empty where it did not say.
type AgentOS struct {
	Name, Version, Kernel, Machine, HostName string
}

// AgentInterface is a network interface with its addresses (CIDR), loopback ones included.
type AgentInterface struct {
	Name, MAC string
	Addresses []string
}

// AgentFilesystem is a mounted file system; Used and Total are bytes, nil where it has no size.
type AgentFilesystem struct {
	Mount, Type, Device string
	Used, Total         *int64
}

// AgentUser is somebody who is logged in since a time.
type AgentUser struct {
	Name, Domain string
	Since        time.Time
}

// AgentInfo asks a guest's agent, always live. Containers have none: their addresses come from their node. Errors: those of finding the
// guest; fault.Conflict with the remedy where it is off, or its agent is not configured or not running; fault.Forbidden.
func (i *Inventory) AgentInfo(ctx context.Context, q AgentQuery) (AgentInfo, error) {
	ctx = i.opt.Waiting(ctx)
	scope, err := i.ready(ctx, ReadOptions{Cluster: q.Cluster})
	if err != nil {
		return AgentInfo{}, err
	}
	r, err := i.resolve(scope, q.Guest)
	if err != nil {
		return AgentInfo{}, err
	}
	c := i.clusterOf(r.g.Cluster)
	src, err := c.source(ctx)
	if err != nil {
		return AgentInfo{}, err
	}
	a := agentCall{r: r, src: src, out: AgentInfo{Meta: Meta{AsOf: i.now()}, VMID: r.g.VMID, Name: r.g.Name, Type: r.typ(), Node: r.g.Node}}
	if r.typ() == pve.LXC {
		return a.container(ctx, q.What)
	}
	last := c.lastAddresses(r)
	if now := i.now(); last.fails >= agentTries && now.Before(last.until) && !startedSince(r.g.Uptime, last.failed, now) {
		return AgentInfo{}, fault.New(fault.Conflict, "the agent of %d %s is not asked: it is %s", r.g.VMID, r.g.Name, last.note).
			WithHint("calls to an agent that does not answer can harm its guest; a start of the guest, or of this server, ends that")
	}
	ctx, cancel := context.WithTimeout(ctx, agentBudget)
	defer cancel()
	for _, part := range AgentParts {
		if q.What != "" && q.What != part {
			continue
		}
		err := a.part(ctx, part)
		if fault.CodeOf(err) == fault.NotFound { // right after a migration the list names the old node (F55); the agent is not to blame
			i.Touched(ctx, r.g.Cluster, r.g.VMID)
			return AgentInfo{}, fault.Wrap(fault.Conflict, err, "the cluster's list names %s, which has no guest %d: it moved a moment ago, or is gone", r.g.Node, r.g.VMID).
				WithHint("ask again in a moment").Retry()
		}
		if err != nil {
			c.agentFailed(r, last, err)
			return AgentInfo{}, err
		}
	}
	if a.told == 0 {
		return AgentInfo{}, a.last
	}
	return a.out, nil
}

// agentCall is what is asked of one agent.
type agentCall struct {
	r    *row
	src  Source
	out  AgentInfo
	told int // questions that were answered
	last error
}

// part asks for one part. What says that no agent answers at all is an error; what one command refuses is a warning beside the rest.
func (a *agentCall) part(ctx context.Context, part string) error {
	ctx, cancel := context.WithTimeout(ctx, addressBudget)
	defer cancel()
	var err error
	switch part {
	case "addresses":
		err = a.addresses(ctx)
	case "os":
		err = a.system(ctx)
	case "filesystems":
		err = a.filesystems(ctx)
	case "users":
		err = a.users(ctx)
	}
	if err == nil {
		a.told++
		return nil
	}
	if refused := a.refusal(err); refused != nil {
		return refused
	}
	a.last = err
	a.out.Warnings = append(a.out.Warnings, Warning{"partial", part + " not told: " + clean.Line(fault.Of(err).Error(), 200)})
	return nil
}

// refusal is the remedy where no agent answers, nil for what only one question failed of (F37).
func (a *agentCall) refusal(err error) error {
	label := strconv.Itoa(a.r.g.VMID) + " " + a.r.g.Name
	switch a.src.AgentState(err) {
	case "guest_off":
		return fault.New(fault.Conflict, "guest %s does not run: its agent cannot answer", label).WithHint("start it first").WithNext("power_guest")
	case "not_configured":
		return fault.New(fault.Conflict, "guest %s has no agent configured", label).WithNext("update_guest").
			WithHint("set agent=1 (update_guest set), stop and start it, and install qemu-guest-agent inside of it")
	case "not_running":
		return fault.New(fault.Conflict, "the agent of guest %s does not run", label).
			WithHint("inside of it install and start qemu-guest-agent; where agent=1 was just set the guest has to be stopped and started, a reboot from inside is not enough")
	case "slow":
		return fault.New(fault.Timeout, "the agent of guest %s did not answer in time", label).WithHint("it may be frozen by a backup, or the guest is out of memory").
			WithNext("diagnose_guest")
	}
	switch fault.CodeOf(err) {
	case fault.Forbidden, fault.NodeSilent, fault.Unreachable, fault.Unauthenticated, fault.Timeout, fault.Cancelled, fault.Untrusted, fault.NotFound:
		return err
	}
	return nil
}

// container answers what can be known of one: its node sees its interfaces.
func (a *agentCall) container(ctx context.Context, what string) (AgentInfo, error) {
	if what != "" && what != "addresses" {
		return AgentInfo{}, fault.New(fault.Conflict, "%d %s is a container: it has no agent; only its addresses are known", a.r.g.VMID, a.r.g.Name).
			WithHint("get_guest tells its disk and operating system as far as Proxmox VE knows them").WithNext("get_guest")
	}
	ctx, cancel := context.WithTimeout(ctx, addressBudget)
	defer cancel()
	if err := a.addresses(ctx); err != nil {
		return AgentInfo{}, err
	}
	if a.out.Interfaces == nil {
		return AgentInfo{}, fault.New(fault.Conflict, "container %d %s does not run: it has no addresses", a.r.g.VMID, a.r.g.Name).WithHint("start it first").WithNext("power_guest")
	}
	if what == "" {
		a.out.Warnings = append(a.out.Warnings, Warning{"partial", "a container has no agent: os, filesystems and users are not known"})
	}
	return a.out, nil
}

func (a *agentCall) addresses(ctx context.Context) error {
	list, err := a.src.GuestAddresses(ctx, a.r.g.Node, a.r.typ(), a.r.g.VMID)
	if err != nil || list == nil {
		return err
	}
	a.out.Interfaces = []AgentInterface{}
	for _, n := range list[:min(len(list), agentRows)] {
		one := AgentInterface{Name: clean.Line(n.Name, maxTag), MAC: clean.Line(n.MAC, maxTag)}
		for _, ip := range n.Addresses[:min(len(n.Addresses), agentRows)] {
			one.Addresses = append(one.Addresses, clean.Line(ip, maxTag))
		}
		a.out.Interfaces = append(a.out.Interfaces, one)
	}
	return nil
}

// ask asks one command of the agent; into gets its result.
func (a *agentCall) ask(ctx context.Context, command string, into any) error {
	raw, err := a.src.AgentRead(ctx, a.r.g.Node, a.r.g.VMID, command)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fault.Wrap(fault.BadAnswer, err, "what the agent answered to %s cannot be read", command)
	}
	return nil
}

func (a *agentCall) system(ctx context.Context) error {
	var o struct {
		Pretty  pve.Text `json:"pretty-name"`
		Name    pve.Text `json:"name"`
		Version pve.Text `json:"version"`
		Kernel  pve.Text `json:"kernel-release"`
		Machine pve.Text `json:"machine"`
	}
	if err := a.ask(ctx, "get-osinfo", &o); err != nil {
		return err
	}
	line := func(t pve.Text) string { return clean.Line(string(t), maxName) }
	a.out.OS = &AgentOS{Name: cmp.Or(line(o.Pretty), line(o.Name)), Version: line(o.Version), Kernel: line(o.Kernel), Machine: line(o.Machine)}
	var h struct {
		Name pve.Text `json:"host-name"`
	}
	if err := a.ask(ctx, "get-host-name", &h); err == nil { // older agents do not know it
		a.out.OS.HostName = line(h.Name)
	}
	return nil
}

func (a *agentCall) filesystems(ctx context.Context) error {
	var raw json.RawMessage
	if err := a.ask(ctx, "get-fsinfo", &raw); err != nil {
		return err
	}
	rows, odd, err := pve.DecodeRows[struct {
		Mount pve.Text `json:"mountpoint"`
		Type  pve.Text `json:"type"`
		Name  pve.Text `json:"name"`
		Used  *pve.Int `json:"used-bytes"`
		Total *pve.Int `json:"total-bytes"`
	}](raw)
	if err != nil {
		return fault.Wrap(fault.BadAnswer, err, "the agent's list of file systems cannot be read")
	}
	a.odd("filesystems", len(rows), odd)
	a.out.Filesystems = []AgentFilesystem{}
	for _, r := range rows[:min(len(rows), agentRows)] {
		a.out.Filesystems = append(a.out.Filesystems, AgentFilesystem{Mount: clean.Line(string(r.Mount), maxName), Type: clean.Line(string(r.Type), maxTag),
			Device: clean.Line(string(r.Name), maxTag), Used: (*int64)(r.Used), Total: (*int64)(r.Total)})
	}
	return nil
}

func (a *agentCall) users(ctx context.Context) error {
	var raw json.RawMessage
	if err := a.ask(ctx, "get-users", &raw); err != nil {
		return err
	}
	rows, odd, err := pve.DecodeRows[struct {
		User   pve.Text   `json:"user"`
		Domain pve.Text   `json:"domain"`
		Login  *pve.Float `json:"login-time"` // seconds since 1970, with a fraction (16/012)
	}](raw)
	if err != nil {
		return fault.Wrap(fault.BadAnswer, err, "the agent's list of users cannot be read")
	}
	a.odd("users", len(rows), odd)
	a.out.Users = []AgentUser{}
	for _, r := range rows[:min(len(rows), agentRows)] {
		u := AgentUser{Name: clean.Line(string(r.User), maxName), Domain: clean.Line(string(r.Domain), maxTag)}
		if r.Login != nil && *r.Login > 0 && *r.Login < 1e11 {
			u.Since = time.Unix(int64(*r.Login), 0)
		}
		a.out.Users = append(a.out.Users, u)
	}
	return nil
}

// odd says what of a list is not shown.
func (a *agentCall) odd(part string, rows int, odd []error) {
	if len(odd) > 0 {
		a.out.Warnings = append(a.out.Warnings, Warning{"odd_data", part + ": " + strconv.Itoa(len(odd)) + " entries cannot be read and are left out"})
	}
	if rows > agentRows {
		a.out.Warnings = append(a.out.Warnings, Warning{"partial", part + ": " + strconv.Itoa(rows) + " entries, " + strconv.Itoa(agentRows) + " are shown"})
	}
}
