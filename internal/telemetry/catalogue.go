package telemetry

// Kind is how Prometheus reads a metric.
type Kind string

// The kinds that there are.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Metric is a family of series: what /metrics shows and docs/telemetry.md lists.
type Metric struct {
	Name   string
	Kind   Kind
	Help   string
	Labels []string  // at most maxLabels
	Bounds []float64 // upper bounds of a histogram's buckets, in seconds
}

// The names of the metrics. Operation and session are those of OpenTelemetry's MCP semantic conventions (mcp.server.operation.duration,
// mcp.server.session.duration, semconv 1.41) as Prometheus spells them.
const (
	OperationSeconds = "mcp_server_operation_duration_seconds"
	SessionSeconds   = "mcp_server_session_duration_seconds"
	SlowCalls        = "proxmox_mcp_slow_calls_total"
	RequestSeconds   = "proxmox_mcp_pve_request_duration_seconds"
	Retries          = "proxmox_mcp_pve_retries_total"
	Failovers        = "proxmox_mcp_pve_failovers_total"
	Logins           = "proxmox_mcp_pve_logins_total"
	NodeSilent       = "proxmox_mcp_pve_node_silent"
	SyncAge          = "proxmox_mcp_sync_age_seconds"
	GuestsKnown      = "proxmox_mcp_guests"
	StoreBytes       = "proxmox_mcp_store_size_bytes"
	Plans            = "proxmox_mcp_plans"
	GatherErrors     = "proxmox_mcp_gather_errors"
	SpansSent        = "proxmox_mcp_spans_sent_total"
	SpansDropped     = "proxmox_mcp_spans_dropped_total"
	BuildInfo        = "proxmox_mcp_build_info"
	Goroutines       = "go_goroutines"
	HeapBytes        = "go_memstats_heap_alloc_bytes"
	SysBytes         = "go_memstats_sys_bytes"
	Collections      = "go_gc_cycles_total"
	StartTime        = "process_start_time_seconds"
	ResidentBytes    = "process_resident_memory_bytes"
	OpenFiles        = "process_open_fds"
)

// seconds are the bounds that the conventions demand, with five below them: a read from the store takes less than a millisecond.
func seconds() []float64 {
	return []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60, 120, 300}
}

// Catalogue lists every metric, by name of what it is about.
func Catalogue() []Metric {
	return []Metric{
		{OperationSeconds, Histogram, "Requests of MCP clients; error_type is empty where it went well, a tool's error code, or protocol.",
			[]string{"mcp_method_name", "gen_ai_tool_name", "error_type"}, seconds()},
		{SessionSeconds, Histogram, "Sessions of MCP clients that have ended.", nil,
			[]float64{1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}},
		{SlowCalls, Counter, "Calls above the threshold of the log of slow calls; kind is tool or pve.", []string{"kind"}, nil},
		{RequestSeconds, Histogram, "Requests to Proxmox VE, retries and logins included; class is read, blocking (a read that may hang on a storage or guest), write or login; " +
			"node is empty for the entry node; status is 2xx, 3xx, 4xx, 5xx or none (no answer).", []string{"cluster", "node", "class", "status"}, seconds()},
		{Retries, Counter, "Requests to Proxmox VE that were sent again.", []string{"cluster"}, nil},
		{Failovers, Counter, "Requests that went to another endpoint because the first did not answer.", []string{"cluster"}, nil},
		{Logins, Counter, "Logins with a password, renewals included.", []string{"cluster"}, nil},
		{NodeSilent, Gauge, "1 where a node's breaker is open (it does not answer although the cluster does), else 0; nodes that were asked.", []string{"cluster", "node"}, nil},
		{SyncAge, Gauge, "Age of the newest sync that ended, by any process; absent where there was none.", []string{"cluster"}, nil},
		{GuestsKnown, Gauge, "Guests in the store, templates included, by type and state as last seen.", []string{"cluster", "type", "state"}, nil},
		{StoreBytes, Gauge, "Size of the state database with its log.", nil, nil},
		{Plans, Gauge, "Plans in the store by state.", []string{"state"}, nil},
		{GatherErrors, Gauge, "1 where a part of this page could not be read, and is missing from it.", []string{"part"}, nil},
		{SpansSent, Counter, "Spans that the collector of traces took.", nil, nil},
		{SpansDropped, Counter, "Spans that were lost: the queue was full or the collector did not take them.", nil, nil},
		{BuildInfo, Gauge, "1, with what this program is.", []string{"version", "commit", "go_version"}, nil},
		{Goroutines, Gauge, "Goroutines.", nil, nil},
		{HeapBytes, Gauge, "Bytes of live and not yet swept heap objects.", nil, nil},
		{SysBytes, Gauge, "Bytes of memory taken from the system by Go.", nil, nil},
		{Collections, Counter, "Garbage collections that ended.", nil, nil},
		{StartTime, Gauge, "When the process began to measure, in Unix seconds.", nil, nil},
		{ResidentBytes, Gauge, "Resident memory (Linux).", nil, nil},
		{OpenFiles, Gauge, "Open file descriptors (Linux).", nil, nil},
	}
}
