package iac

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Emitter writes a World as code of one kind.
type Emitter interface {
	// Name is what the code is for: terraform, ansible.
	Name() string
	// Emit makes all files of the target. What it cannot express is in the Result, not an error; an error means that there is no code.
	Emit(w *World) (Result, error)
}

// Result is what an emitter made. Files are in the order of their paths; Addresses are those that were given now and have to be stored
// together with writing the files.
type Result struct {
	Files     []File
	Addresses []store.Address
	// Held are the addresses that the files name, those that they give up too: the next export needs them (Options.Held).
	Held     []string
	Coverage []Coverage
	Absent   []Absence
	Counts   []Count
	Warnings []string
}

// Absence is a kind of which there are N objects, and of which nothing is written.
type Absence struct {
	Kind store.Kind
	N    int
	Why  string
}

// File is one file to write: a path below the target folder with slashes, and its content.
type File struct {
	Path string
	Data []byte
}

// Count is a figure for a summary: resources of a type, hosts.
type Count struct {
	What string `json:"what"`
	N    int    `json:"n"`
}

// Status says what became of an object.
type Status string

// The stati of an object.
const (
	Written    Status = "written"
	Unreadable Status = "unreadable" // the provider would fail on it, so it was left out
	LeftOut    Status = "left out"   // there is no resource for it, or it was never read
	GivenUp    Status = "given up"   // gone from the cluster; the code lets go of it without destroying
)

// Coverage is how far one object is in the code. Keys are those of its configuration, in order.
type Coverage struct {
	Kind    store.Kind
	ID      string
	Name    string
	Address string // "" unless it was written or given up
	Status  Status
	Why     string // of any status but Written
	Keys    []KeyCoverage
	Ignored []IgnoredPath // what the tool does not compare
}

// IgnoredPath is a place in an object's code that the tool does not compare.
type IgnoredPath struct{ Path, Why string }

// How says what became of one key.
type How string

// What can become of a key.
const (
	Kept          How = "kept"            // written, and compared by the tool
	Ignored       How = "ignored"         // written, but the tool does not compare it; Why says why
	Default       How = "default"         // the tool reads its absence as this value
	Unrepresented How = "not represented" // no attribute holds it: the tool neither sees nor changes it
	Internal      How = "internal"        // Proxmox VE's own bookkeeping, nothing to write
)

// KeyCoverage is what became of one key, or of one part of a property string (cpu.hidden).
type KeyCoverage struct {
	Key string
	As  string // where it stands in the code
	How How
	Why string // of all but Kept
}

// Finish brings a result into its order and refuses files that an export must not write.
func (r *Result) Finish() error {
	slices.SortFunc(r.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(r.Addresses, func(a, b store.Address) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID), cmp.Compare(a.Life, b.Life))
	})
	slices.Sort(r.Held)
	r.Held = slices.Compact(r.Held)
	for i, f := range r.Files {
		if err := CheckPath(f.Path); err != nil {
			return err
		}
		if i > 0 && strings.EqualFold(r.Files[i-1].Path, f.Path) {
			return fault.New(fault.Internal, "two files would be written to %q", f.Path)
		}
	}
	return nil
}

// maxPath is how long a path below the target folder may be: the folder's own and this one together stay below the 260 characters of Windows.
const maxPath = 160

// CheckPath refuses a path that is not surely below the target folder, on any system.
func CheckPath(p string) error {
	bad := func(why string) error {
		return fault.New(fault.Invalid, "the path %q %s", fmt.Sprintf("%.80s", p), why)
	}
	switch {
	case p == "" || len(p) > maxPath:
		return bad("is empty or too long")
	case path.Clean(p) != p || path.IsAbs(p) || p == ".":
		return bad("is not a plain path below the folder")
	case strings.ContainsAny(p, "\\:*?\"<>|"):
		return bad("holds a character that not every system takes")
	}
	for part := range strings.SplitSeq(p, "/") {
		switch {
		case part == "..":
			return bad("leaves the folder")
		case strings.EqualFold(part, ".git"):
			return bad("lies in git's own folder")
		case strings.HasSuffix(part, ".") || strings.HasSuffix(part, " "):
			return bad("ends in a dot or blank")
		case reserved[strings.ToLower(strings.SplitN(part, ".", 2)[0])]:
			return bad("is the name of a device on Windows")
		case strings.ContainsFunc(part, func(r rune) bool { return unicode.IsControl(r) || !unicode.IsPrint(r) }):
			return bad("holds characters that cannot be seen")
		}
	}
	return nil
}
