package telemetry

import "log/slog"

// The channels of the log that have a file of their own: a flood of other lines must not push them out.
const (
	ChannelKey      = "channel"
	ChannelAudit    = "audit"    // rows of the audit, as they were written
	ChannelSecurity = "security" // what was refused: requests at the HTTP door, changes by policy, passphrases
	ChannelSlow     = "slow"     // calls above the threshold
)

// Channels lists them.
func Channels() []string { return []string{ChannelAudit, ChannelSecurity, ChannelSlow} }

// Channel marks a line of the log as one of a channel.
func Channel(name string) slog.Attr { return slog.String(ChannelKey, name) }
