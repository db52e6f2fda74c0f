package pvesim

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// check checks one value that is there.
func (s *schema) check(v any, path string, bad problems) {
	if v == nil {
		return
	}
	if msg := s.checkType(v); msg != "" {
		bad.add(path, "%s", msg)
		return
	}
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			if s.items != nil {
				s.items.check(e, fmt.Sprintf("%s[%d]", path, i), bad)
			}
		}
	case Object:
		if s.properties != nil {
			s.properties.check(v, path, bad)
		}
	case bool:
	default:
		if msg := s.checkText(text(v), path); msg != "" {
			bad.add(path, "%s", msg)
		}
	}
}

// checkType words a value of another JSON type as Perl's ref does: a JSON object is a HASH (04/032).
func (s *schema) checkType(v any) string {
	var ref string
	switch v.(type) {
	case []any:
		ref = "ARRAY"
	case Object:
		ref = "HASH"
	case bool:
		ref = "JSON::PP::Boolean"
	}
	switch s.kind {
	case "":
		return ""
	case "array", "object":
		if ref == "ARRAY" && s.kind == "array" || ref == "HASH" && s.kind == "object" {
			return ""
		}
		return fmt.Sprintf("type check ('%s') failed", s.kind)
	}
	if ref != "" {
		if s.kind == "boolean" && ref == "JSON::PP::Boolean" {
			return ""
		}
		return fmt.Sprintf("type check ('%s') failed - got %s", s.kind, ref)
	}
	if t := text(v); !s.scalar(t) {
		return fmt.Sprintf("type check ('%s') failed - got '%s'", s.kind, t)
	}
	return ""
}

var numberShape = lazy.Regexp(`^[+-]?(\d+\.\d+|\d+\.|\.\d+|\d+)([eE][+-]?\d+)?$`)

// scalar is whether a text is of the schema's type. Of booleans only 0 and 1 are (facts 25).
func (s *schema) scalar(t string) bool {
	switch s.kind {
	case "boolean":
		return t == "0" || t == "1"
	case "integer":
		return isInteger(t)
	case "number":
		return numberShape().MatchString(t)
	}
	return true
}

func isInteger(t string) bool {
	digits := strings.TrimLeft(t, "+-")
	return len(t)-len(digits) <= 1 && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// checkText checks a scalar in the real order: format, pattern, length, bounds, enumeration. The first that fails is
// told.
func (s *schema) checkText(t, path string) string {
	if err := s.checkFormat(t, path); err != nil {
		return "invalid format - " + err.Error()
	}
	if s.pattern != nil && !s.pattern.fits(t) {
		return "value does not match the regex pattern"
	}
	if s.maxLen != nil && len([]rune(t)) > *s.maxLen {
		return fmt.Sprintf("value may only be %d characters long", *s.maxLen)
	}
	if s.minLen != nil && len([]rune(t)) < *s.minLen {
		return fmt.Sprintf("value must be at least %d characters long", *s.minLen)
	}
	if msg := s.checkBounds(t); msg != "" {
		return msg
	}
	if s.enum != nil && !slices.Contains(s.enum, t) {
		return fmt.Sprintf("value '%s' does not have a value in the enumeration '%s'", t, strings.Join(s.enum, ", "))
	}
	return ""
}

// checkBounds applies to everything that looks like a number.
func (s *schema) checkBounds(t string) string {
	if s.min == nil && s.max == nil || !numberShape().MatchString(t) {
		return ""
	}
	n, _, err := big.ParseFloat(t, 10, 64, big.ToNearestEven)
	if err != nil {
		return ""
	}
	if s.max != nil && n.Cmp(big.NewFloat(*s.max)) > 0 {
		return "value must have a maximum value of " + plainNumber(*s.max)
	}
	if s.min != nil && n.Cmp(big.NewFloat(*s.min)) < 0 {
		return "value must have a minimum value of " + plainNumber(*s.min)
	}
	return ""
}

func plainNumber(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func (s *schema) checkFormat(t, path string) error {
	if s.inner != nil {
		_, err := parseObject(s.inner, t, path)
		return err
	}
	if s.format == "" {
		return nil
	}
	return checkFormat(s.format, t, path)
}

// typed gives a stored text the JSON type that the API shows it with: integers and booleans are numbers, all else is
// text, also a number such as cpulimit (04/047).
func (s *schema) typed(t string) any {
	if s.kind != "integer" && s.kind != "boolean" || !isInteger(t) {
		return t
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return t
	}
	return json.Number(strconv.FormatInt(n, 10))
}
