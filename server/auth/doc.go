// Package auth is the admission of the HTTP door: who calls (a bearer token of ours, or an access token of an OAuth authorization server),
// what that lets it reach, how often it may call, and what of it is written down. What it lets through carries a server.Identity; a client's
// token goes no further than this package.
package auth
