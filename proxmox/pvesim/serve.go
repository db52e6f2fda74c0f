package pvesim

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// ServeOptions are those of the command sim serve.
type ServeOptions struct {
	// World is a world.json to load; without it and with Guests or Nodes a world is generated, else it is the demo.
	World         string
	Seed          uint64
	Nodes, Guests int
	// Now lets a loaded world's time be the present; otherwise it goes on from when the world was dumped.
	Now bool
	// Addr is host:port to listen on; the default is 127.0.0.1 and any free port.
	Addr string
	// Node is the entry node, the first by default.
	Node string
	// AllNodes serves the other nodes as well, each at the next port.
	AllNodes bool
	// Latency is none (empty), profile, or a duration.
	Latency string
	// Faults are given as ParseFault takes them.
	Faults []string
	// Schema is a file with the schema of the API; see LoadSchema.
	Schema string
}

// realWorkers is how many workers each daemon of a real node has (faults.md 3.1).
const realWorkers = 3

// ServeForever runs a simulator until ctx ends. It first writes lines that a shell can evaluate: the variables of
// address, token and fingerprint that clients read.
func ServeForever(ctx context.Context, o ServeOptions, out io.Writer) error {
	w, err := o.world()
	if err != nil {
		return fault.BadField("world", err.Error(), "world.json, as recorded or written by a test")
	}
	latency, err := parseLatency(o.Latency)
	if err != nil {
		return fault.BadField("latency", err.Error(), "20ms")
	}
	schema, err := OpenSchema(o.Schema)
	if err != nil {
		return fault.BadField("schema", err.Error(), "api-schema.json, a dump of all methods")
	}
	w.StatLag = StatInterval
	s := New(w, WithSeed(o.Seed+1), WithWorkers(realWorkers), WithLatency(latency), WithSchema(schema), WithClock(o.clock(w)))
	for _, text := range o.Faults {
		f, err := ParseFault(text)
		if err != nil {
			return fault.BadField("fault", err.Error(), "F11:node=pve2")
		}
		defer s.AddFault(f)()
	}
	entries, err := o.listen(s)
	defer func() {
		for _, e := range entries {
			_ = e.Close() // the process ends
		}
	}()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, announce(s.RootToken(), entries)); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// listen opens the entry node's port, and with AllNodes the next ones for the others. It gives what is open even when it
// fails.
func (o ServeOptions) listen(s *Sim) ([]*Endpoint, error) {
	addr := o.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	e, err := s.StartAt(addr, o.Node)
	if err != nil {
		return nil, err
	}
	entries := []*Endpoint{e}
	if !o.AllNodes {
		return entries, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return entries, err
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		return entries, fault.BadField("addr", err.Error(), "127.0.0.1:8006")
	}
	for _, node := range s.nodeNames() {
		if node == e.Node {
			continue
		}
		if first > 0 { // 0 is any free port, for each of them
			port = strconv.Itoa(first + len(entries))
		}
		other, err := s.StartAt(net.JoinHostPort(host, port), node)
		if err != nil {
			return entries, err
		}
		entries = append(entries, other)
	}
	return entries, nil
}

// announce is what a shell can evaluate: variables for the entry node, remarks for the others.
func announce(token string, entries []*Endpoint) string {
	var b strings.Builder
	fmt.Fprintf(&b, "export PROXMOX_VE_ENDPOINT=%s\nexport PROXMOX_VE_API_TOKEN='%s'\nexport PROXMOX_VE_FINGERPRINT=%s\n",
		entries[0].URL, token, entries[0].Fingerprint)
	for _, e := range entries[1:] {
		fmt.Fprintf(&b, "# %s %s %s\n", e.Node, e.URL, e.Fingerprint)
	}
	return b.String()
}

func (s *Sim) nodeNames() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []string
	for _, n := range s.world.Nodes {
		list = append(list, n.Name)
	}
	return list
}

// clock goes on from when a loaded world was dumped, so that ages and schedules are what they were, unless the present is
// asked for.
func (o ServeOptions) clock(w *World) func() time.Time {
	if o.World == "" || o.Now {
		return time.Now
	}
	began, base := time.Now(), w.TakenAt
	return func() time.Time { return base.Add(time.Since(began)) }
}

func (o ServeOptions) world() (*World, error) {
	if o.World != "" {
		f, err := os.Open(o.World)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // read only
		return LoadWorld(f)
	}
	if o.Nodes > 0 || o.Guests > 0 {
		return GenerateWorld(GenOptions{Seed: o.Seed, Nodes: o.Nodes, Guests: o.Guests, Snapshots: 20, Now: time.Now()}), nil
	}
	return DemoWorld(time.Now()), nil
}

func parseLatency(s string) (Latency, error) {
	switch s {
	case "", "none":
		return Latency{}, nil
	case "profile":
		return Latency{Profile: true}, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return Latency{}, fmt.Errorf("latency %q is neither a duration nor profile", s)
	}
	return Latency{Fixed: d}, nil
}
