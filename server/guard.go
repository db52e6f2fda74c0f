package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// guard is in front of every route: the Host is ours (no DNS rebinding), an Origin is loopback or listed, the body is bounded. mcp-go
// checks neither Origin nor size (facts: mcp.md 6.1, gaps 3 and 4).
func guard(o HTTPOptions, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no")
		switch {
		case !ourHost(o, r.Host):
			refuse(w, http.StatusForbidden, "the Host header names no address of this server; list it under http.hosts")
		case !ourOrigins(o, r.Header.Values("Origin")):
			refuse(w, http.StatusForbidden, "this Origin may not call; list it under http.origins")
		case r.ContentLength > maxBody:
			refuse(w, http.StatusRequestEntityTooLarge, "a request has at most 1 MiB")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			if r.Method == http.MethodGet {
				unhurried(w)
			}
			next.ServeHTTP(w, r)
		}
	})
}

func ourHost(o HTTPOptions, host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	return loopbackName(name) || slices.ContainsFunc(o.Hosts, func(h string) bool { return strings.EqualFold(h, name) || strings.EqualFold(h, host) })
}

func ourOrigins(o HTTPOptions, origins []string) bool {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return false
		}
		if !loopbackName(u.Hostname()) && !slices.Contains(o.Origins, origin) {
			return false
		}
	}
	return true
}

// loopbackName takes the names of this machine itself, with or without the brackets of IPv6.
func loopbackName(name string) bool {
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

// unhurried ends the time limit of reading a request that was read whole: net/http would cancel the call when it passes.
func unhurried(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a writer without deadlines has none to end
}

// strict refuses messages that mcp-go would read loosely, as the guard of stdio does, and a body that is too long.
func strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			refuse(w, http.StatusRequestEntityTooLarge, "a request has at most 1 MiB")
			return
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, "the request ended early")
			return
		}
		if env, err := readEnvelope(body); err != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write(invalidRequest(env.id, err)) // a client that went away reads nothing
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		unhurried(w)
		next.ServeHTTP(w, r)
	})
}
