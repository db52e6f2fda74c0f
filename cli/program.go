package cli

import (
	"context"
	"io"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Globals are the flags of every command.
type Globals struct {
	ConfigPath string // --config
	StatePath  string // --state
	LogLevel   string // --log-level, "" = that of the configuration
	LogFile    string // --log-file, "" = that of the configuration
	Output     string // -o
	NoColor    bool
}

// Session is an open program: what tools need, and what a command that ends with its answer has to do besides.
type Session struct {
	Deps tools.Deps
	// Complete runs the first full sync of clusters that never had one, and waits for it: a sync in the background would end with
	// the command. It does nothing where there was one.
	Complete func(ctx context.Context, progress func(text string, done, total int)) error
	// Settings reads what a cluster is beside its guests, where that was never done or is old: code is written from it. nil: there is none.
	Settings func(ctx context.Context, progress func(text string, done, total int)) error
	// Settle waits for the work that the answer has started in the background.
	Settle func(ctx context.Context)
	Close  func() error
}

// ServeOptions are those of `serve`.
type ServeOptions struct {
	In    io.Reader
	Allow string // --allow: a tier, for this process
	ToolOptions
	HTTPOptions
	MetricsAddr string // --metrics: host:port of a listener for metrics and health, "" = that of the configuration
}

// HTTPOptions are those of serving over HTTP.
type HTTPOptions struct {
	Over    bool   // --http: over HTTP and not stdio
	Address string // its host:port, "" = that of the configuration
	SSE     bool   // --sse: the deprecated HTTP+SSE transport as well
}

// ToolOptions bound what is offered, within what the configuration says; empty lists bound nothing.
type ToolOptions struct{ Families, Tools, Exclude []string }

// SyncOptions are those of `sync`.
type SyncOptions struct {
	Cluster  string
	Progress func(cluster, phase string, done, total int)
}

// InitOptions are those of `init`.
type InitOptions struct {
	In         io.Reader
	ReadSecret func(prompt string) (string, error)
	Endpoint   string
	Name       string
	Force      bool
}

// IntentOptions are those of `intent set` and `intent clear`.
type IntentOptions struct {
	Cluster, Object string
	Want            string // off, maintenance, awake
	Until           string // a span from now or a date, "" = until cleared
	Note            string
}

// DemoOptions are those of `demo`.
type DemoOptions struct {
	Serve bool   // stay up as an MCP server on stdio, or over HTTP
	Allow string // a tier that the served demo may use from the start
	Story string // "change", "lifecycle": a session of an agent that changes something; "" = the tour
	In    io.Reader
	HTTPOptions
}

// SimServeOptions are those of `sim serve`.
type SimServeOptions struct {
	World, Addr   string
	Seed          uint64
	Nodes, Guests int
	Latency       string // a duration, or profile
	Faults        []string
	AllNodes      bool   // a port for each node
	Now           bool   // a loaded world's time is the present
	Schema        string // a file with the schema of the API
}

// SimReplayOptions are those of `sim replay`.
type SimReplayOptions struct {
	Schema  string
	Min     float64
	Methods []string
	Dirs    []string
}

// Report is what a command outside the table answers: a value for json and yaml, a view for people, and whether it is complete.
type Report struct {
	Value   any
	View    tools.View
	Partial bool // exit code 3
	Failed  bool // exit code 1
}

// Program is what the commands need of the composition root; app implements it.
type Program interface {
	Owner
	Auditor
	SecretKeeper
	TokenKeeper
	Recipes
	Version() Report
	Open(ctx context.Context, g Globals) (Session, error)
	// Names are what an argument of a kind can be, from configuration and store alone: no secret is read and nothing is asked of Proxmox VE.
	Names(ctx context.Context, g Globals, kind NameKind) ([]string, error)
	Serve(ctx context.Context, g Globals, o ServeOptions, out, errOut io.Writer) error
	Sync(ctx context.Context, g Globals, o SyncOptions) (Report, error)
	Doctor(ctx context.Context, g Globals) (Report, error)
	Init(ctx context.Context, g Globals, o InitOptions, out io.Writer) error
	// Setup connects a cluster, sets the passphrase and registers with clients, as far as each is wanted.
	Setup(ctx context.Context, g Globals, o SetupOptions, t Terminal) (Report, error)
	Demo(ctx context.Context, g Globals, o DemoOptions, out, errOut io.Writer) error
	// IntentSet, IntentList and IntentClear keep what a person means objects to be: in the store alone, nothing changes in Proxmox VE.
	IntentSet(ctx context.Context, g Globals, o IntentOptions) (Report, error)
	IntentList(ctx context.Context, g Globals, cluster string) (Report, error)
	IntentClear(ctx context.Context, g Globals, o IntentOptions) (Report, error)
	DBPath(g Globals) (string, error)
	DBCheck(ctx context.Context, g Globals) (Report, error)
	DBBackup(ctx context.Context, g Globals, dest string) (Report, error)
	SimServe(ctx context.Context, o SimServeOptions, out io.Writer) error
	SimFaults() Report
	SimReplay(ctx context.Context, o SimReplayOptions, out io.Writer) error
}
