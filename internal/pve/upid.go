package pve

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// UPID is a parsed task id: UPID:node:pid:pstart:starttime:type:id:user: (all numbers in hexadecimal).
// The user of a token task holds the token: root@pam!name (facts: pve-api.md 22).
type UPID struct {
	Node  string
	Type  string
	ID    string // the object that the task works on, a vmid mostly; may be empty
	User  string
	PID   uint64
	Start time.Time
}

// ParseUPID parses a task id and refuses anything that does not have its eight fields.
func ParseUPID(s string) (UPID, error) {
	// user@realm!token holds no colon; some ids do (an SDN or storage id), so the id takes what is left in the middle.
	parts := strings.Split(s, ":")
	if len(s) > 512 || len(parts) < 9 || parts[0] != "UPID" || parts[len(parts)-1] != "" {
		return UPID{}, fmt.Errorf("%.80q is not a task id: it looks like UPID:node:hex:hex:hex:type:id:user@realm: (nine parts)", s)
	}
	pid, err1 := strconv.ParseUint(parts[2], 16, 64)
	_, err2 := strconv.ParseUint(parts[3], 16, 64)
	start, err3 := strconv.ParseUint(parts[4], 16, 40)
	if err1 != nil || err2 != nil || err3 != nil || !validName(parts[1]) || parts[5] == "" {
		return UPID{}, fmt.Errorf("%.80q is not a task id: node, pid or start time is malformed", s)
	}
	user := parts[len(parts)-2]
	if user == "" || strings.ContainsFunc(s, unprintable) {
		return UPID{}, fmt.Errorf("%.80q is not a task id: its user is missing, or it holds white space", s)
	}
	return UPID{
		Node: parts[1], Type: parts[5], ID: strings.Join(parts[6:len(parts)-2], ":"), User: user,
		PID: pid, Start: time.Unix(int64(start), 0).UTC(),
	}, nil
}

// unprintable are characters that no task id has; they must not reach a request path or a log line.
func unprintable(r rune) bool { return r <= ' ' || r == 0x7f || r == utf8.RuneError }

// validName accepts the letters of node and storage names; it keeps "../" and the like out of request paths.
func validName(s string) bool {
	if s == "" || len(s) > 100 || s[0] == '.' || s[0] == '-' {
		return false
	}
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// ValidName says whether s can be the name of a node, storage or pool level in a request path.
func ValidName(s string) bool { return validName(s) }
