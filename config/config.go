package config

import (
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// Config is what one process runs with. All of it was checked; paths are absolute.
type Config struct {
	Path      string // file that was read, "" when there was none
	Clusters  []Cluster
	State     State
	Log       Log
	Freshness time.Duration // a read answers from the store when it is younger (1s..24h)
	Tick      time.Duration // pause between ticks while serving (5s..1h)
	Changes   Changes
	Code      Code
	Agent     Agent
	Backups   Backups
	HTTP      HTTP
	Toolset   Toolset
	Telemetry Telemetry
	Zone      string // IANA name of the zone that times are asked and shown in, "" = the machine's
}

// Cluster is how to reach one Proxmox VE cluster: a token, or a user name and password.
type Cluster struct {
	Name         string        // [a-z0-9-], unique
	Endpoints    []string      // https://host:port, in the order they are tried
	Token        redact.Secret // user@realm!tokenid=uuid (facts: pve-api.md 20)
	Username     string        // user@realm
	Password     redact.Secret
	Fingerprints []string // SHA-256 of the leaf certificate, AA:BB:.. with 32 pairs; any of them is trusted
	CAFile       string   // PEM file of the authority that signed the certificates
	Insecure     bool     // certificates are not checked
	ReadOnly     bool     // nothing but GET is ever sent, whatever is allowed; else the policy of changes decides
	FromEnv      bool     // defined by PROXMOX_VE_ENDPOINT
}

// Log says what is logged, always to stderr, and besides to a file where one is named.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // auto (text on a terminal, else JSON), text, json
	File   LogFile
}

// Note is something that the owner should know about settings that are right: which source won, what is left out.
type Note string

// Defaults. Freshness is that of DESIGN 6; a tick every 30 s keeps an unwatched server's answers younger than it.
const (
	defaultFreshness = 45 * time.Second
	defaultTick      = 30 * time.Second
	defaultLogLevel  = "warn"
	defaultLogFormat = "auto"
	// EnvCluster is the name of the cluster that PROXMOX_VE_ENDPOINT defines.
	EnvCluster = "default"
)

// Principal names who the cluster is asked as, without any secret: mcp@pve!agent for a token, root@pam for a password.
func (c Cluster) Principal() string {
	if c.Token.IsSet() {
		return tokenID(c.Token.Reveal())
	}
	return c.Username
}

// Location is the zone that times are asked and shown in.
func (c *Config) Location() *time.Location {
	if c.Zone == "" {
		return time.Local
	}
	loc, err := time.LoadLocation(c.Zone)
	if err != nil { // Load refused unknown names; a zone database that went away since leaves the machine's zone
		return time.Local
	}
	return loc
}
