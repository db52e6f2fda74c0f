package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ServeSide serves routes that are no MCP on l, which has to be on loopback, until ctx ends: everybody who reaches it may read them, so
// open and closed ones are alike.
func ServeSide(ctx context.Context, l net.Listener, open, closed map[string]http.Handler, log *slog.Logger) error {
	mux := http.NewServeMux()
	for pattern, route := range open {
		mux.Handle(pattern, route)
	}
	for pattern, route := range closed {
		mux.Handle(pattern, admitLoopback(route))
	}
	srv := &http.Server{Handler: refusals(log, guard(HTTPOptions{Logger: log}, mux)), ReadHeaderTimeout: headerLimit, ReadTimeout: bodyLimit, WriteTimeout: time.Minute,
		IdleTimeout: idleLimit, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
