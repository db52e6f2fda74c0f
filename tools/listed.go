package tools

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Listed are the tools whose lowest action a caller of that level may use, in order: what is not allowed is not shown (S01). What the owner
// has to turn on is not among them.
func Listed(level Tier) []Spec { return ListedTo(Caller{Level: level}) }

// ListedTo are the tools that a caller is shown, in order.
func ListedTo(c Caller) []Spec {
	var out []Spec
	for _, s := range All() {
		if s.Shown(c) {
			out = append(out, s)
		}
	}
	return out
}

// Shown says whether a caller is shown this tool.
func (s Spec) Shown(c Caller) bool { return s.Tier <= c.Level && (!s.Option || c.Exec) }

// Highest is the tier of the highest action that a caller of that level sees: what annotations speak of.
func (s Spec) Highest(level Tier) Tier {
	highest := s.Tier
	for _, a := range s.Acts {
		if a.Tier <= level {
			highest = max(highest, a.Tier)
		}
	}
	return highest
}

// acts narrows the values of the input "action" in a generated schema to those that a caller of that level may use.
func (s Spec) acts(schema string, level Tier) json.RawMessage {
	if len(s.Acts) == 0 {
		return json.RawMessage(schema)
	}
	var all, some []string
	for _, a := range s.Acts {
		all = append(all, a.Name)
		if a.Tier <= level {
			some = append(some, a.Name)
		}
	}
	from, to := enumText(all), enumText(some)
	return bytes.Replace([]byte(schema), []byte(from), []byte(to), 1)
}

func enumText(names []string) string { return `"enum":["` + strings.Join(names, `","`) + `"]` }
