package logfile

import (
	"context"
	"log/slog"

	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
)

// Handler writes records as JSON, each into the file of its channel. Records of a channel count from info on, others from level on.
func (f *Files) Handler(level slog.Leveler, replace func([]string, slog.Attr) slog.Attr) slog.Handler {
	h := &handler{level: level, to: map[string]slog.Handler{}}
	for _, channel := range append(telemetry.Channels(), "") {
		h.to[channel] = slog.NewJSONHandler(sink{f, channel}, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: replace})
	}
	return h
}

// sink is the file of a channel. A log that cannot be written has nobody to tell: the same line goes to standard error.
type sink struct {
	files   *Files
	channel string
}

// Write implements io.Writer.
func (s sink) Write(p []byte) (int, error) { return len(p), s.files.Write(s.channel, p) }

type handler struct {
	level   slog.Leveler
	channel string // of a logger made with it
	to      map[string]slog.Handler
}

// Enabled implements slog.Handler. A record's own channel is not known yet, so that info passes.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || l >= h.level.Level()
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	channel := h.channel
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == telemetry.ChannelKey {
			channel = a.Value.String()
		}
		return channel == ""
	})
	if h.to[channel] == nil {
		channel = ""
	}
	if channel == "" && r.Level < h.level.Level() {
		return nil
	}
	return h.to[channel].Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := h.each(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
	for _, a := range attrs {
		if a.Key == telemetry.ChannelKey {
			out.channel = a.Value.String()
		}
	}
	return out
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return h.each(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h *handler) each(f func(slog.Handler) slog.Handler) *handler {
	out := &handler{level: h.level, channel: h.channel, to: make(map[string]slog.Handler, len(h.to))}
	for channel, to := range h.to {
		out.to[channel] = f(to)
	}
	return out
}

var _ slog.Handler = (*handler)(nil)
