package server

import (
	"log/slog"
	"net/http"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
)

// refusals tells the log's channel of security who was turned away at the HTTP door: wrong or missing credentials, a foreign Host or Origin,
// a body that is too large, too many requests. It stands in front of everything, so that no part has to think of it. Neither headers nor
// queries are logged: they hold credentials and the ids of sessions.
func refusals(log *slog.Logger, next http.Handler) http.Handler {
	log = log.With(telemetry.Channel(telemetry.ChannelSecurity))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(s, r)
		switch s.status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusMisdirectedRequest, http.StatusTooManyRequests:
			log.LogAttrs(r.Context(), slog.LevelInfo, "refused", slog.Int("status", s.status), slog.String("method", clean.Line(r.Method, 20)),
				slog.String("path", clean.Line(r.URL.Path, 100)), slog.String("host", clean.Line(r.Host, 100)), slog.String("from", r.RemoteAddr))
		}
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements http.ResponseWriter.
func (s *statusWriter) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

// Flush implements http.Flusher: streams need it.
func (s *statusWriter) Flush() {
	_ = http.NewResponseController(s.ResponseWriter).Flush() // a broken connection ends the request by itself
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
