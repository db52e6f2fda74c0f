package pvesim

import (
	"context"
	"fmt"
	"io"
	"os"
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
	// Latency is none (empty), profile, or a duration.
	Latency string
	// Faults are given as ParseFault takes them.
	Faults []string
	// Schema is a file with the schema of the API; see LoadSchema.
	Schema string
}

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
	s := New(w, WithSeed(o.Seed+1), WithLatency(latency), WithSchema(schema), WithClock(o.clock(w)))
	for _, text := range o.Faults {
		f, err := ParseFault(text)
		if err != nil {
			return fault.BadField("fault", err.Error(), "F11:node=pve2")
		}
		defer s.AddFault(f)()
	}
	addr := o.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	e, err := s.StartAt(addr, o.Node)
	if err != nil {
		return err
	}
	defer e.Close() //nolint:errcheck // the process ends
	if _, err := fmt.Fprintf(out, "export PROXMOX_VE_ENDPOINT=%s\nexport PROXMOX_VE_API_TOKEN='%s'\nexport PROXMOX_VE_FINGERPRINT=%s\n",
		e.URL, s.RootToken(), e.Fingerprint); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
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
