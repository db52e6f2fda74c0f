package proxmox

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Path builds the path of a request below /api2/json from its segments: strings, integers, pve.GuestType, pve.Text and pve.Volume (whose
// name may hold slashes, pve-api.md 54). Each segment is checked, then escaped; "..", "%2f", ";" and control characters never pass.
func Path(segments ...any) (string, error) {
	var b strings.Builder
	for _, s := range segments {
		var text string
		switch v := s.(type) {
		case string:
			text = v
		case int, int64, uint64, uint32, pve.Int:
			text = fmt.Sprint(v)
		case pve.GuestType:
			text = string(v)
		case pve.Text:
			text = string(v)
		case pve.Volume:
			if err := appendVolume(&b, v); err != nil {
				return "", err
			}
			continue
		default:
			return "", fault.New(fault.Invalid, "a path segment cannot be made from %T", s)
		}
		if err := checkSegment(text); err != nil {
			return "", err
		}
		b.WriteByte('/')
		b.WriteString(url.PathEscape(text))
	}
	if b.Len() == 0 {
		return "", fault.New(fault.Invalid, "the path is empty")
	}
	return b.String(), nil
}

func appendVolume(b *strings.Builder, v pve.Volume) error {
	if !pve.ValidName(v.Storage) {
		return badSegment(v.Storage)
	}
	for i, part := range strings.Split(v.Name, "/") {
		if err := checkSegment(part); err != nil {
			return err
		}
		if i == 0 {
			part = v.Storage + ":" + part
		}
		b.WriteByte('/')
		b.WriteString(url.PathEscape(part))
	}
	return nil
}

// checkSegment accepts what a name, number, task id, user id or part of a volume id can hold.
func checkSegment(s string) error {
	if s == "" || s == "." || s == ".." || len(s) > 512 || strings.ContainsRune(s, unicode.ReplacementChar) {
		return badSegment(s)
	}
	for _, r := range s {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:@!+=~,-[]", r) ||
			r > 0x7f && (unicode.IsLetter(r) || unicode.IsDigit(r))
		if !ok {
			return badSegment(s)
		}
	}
	return nil
}

func badSegment(s string) error {
	return fault.BadField("path", fmt.Sprintf("%.60q cannot be part of a Proxmox VE path", s), "/nodes/pve1/qemu/100/config")
}

// checkPath checks an escaped path below /api2/json and returns it unescaped. Every request passes here, go-proxmox's too.
func checkPath(escaped string) (string, error) {
	rest, ok := strings.CutPrefix(escaped, "/")
	if !ok {
		return "", badSegment(escaped)
	}
	plain := isPlain(rest)
	out := make([]string, 0, 8)
	for part := range strings.SplitSeq(rest, "/") {
		if !plain {
			var err error
			if part, err = url.PathUnescape(part); err != nil {
				return "", badSegment(part)
			}
		}
		if err := checkSegment(part); err != nil {
			return "", err
		}
		out = append(out, part)
	}
	return "/" + strings.Join(out, "/"), nil
}

func isPlain(s string) bool { return !strings.Contains(s, "%") }
