package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
)

// query is a parsed query: all terms must hold.
type query struct {
	terms   []term
	order   string
	reverse bool

	backups  bool // a term asks for backup ages, which are known only from tasks
	coverage bool // a term asks which guests no backup job covers
}

// term is one condition; any of its alternatives fulfils it.
type term struct {
	key    string // "" for free text
	negate bool
	any    []matcher
	values []string // as written, one an alternative
}

// matcher says whether a guest fulfils one alternative.
type matcher func(e *evaluation, r *row) bool

const (
	maxQuery = 1000 // characters; longer ones are no question of a person or agent
	maxTerms = 64
)

// token is key, operator and value as written; a free word has no key.
type token struct {
	negate   bool
	key, op  string
	value    string
	verbatim bool // quoted: commas and globs stand for themselves
	raw      string
}

// parseQuery parses the query grammar (DESIGN §6). An error names the key, the rule and an example.
func parseQuery(s string) (query, error) {
	var q query
	if len(s) > maxQuery {
		return q, badQuery(fmt.Sprintf("at most %d characters", maxQuery))
	}
	tokens, err := tokenize(s)
	if err != nil {
		return q, err
	}
	if len(tokens) > maxTerms {
		return q, badQuery(fmt.Sprintf("at most %d terms", maxTerms))
	}
	for _, t := range tokens {
		if t.key == "order" {
			if err := q.setOrder(t); err != nil {
				return q, err
			}
			continue
		}
		tm, err := parseTerm(t)
		if err != nil {
			return q, err
		}
		q.backups = q.backups || t.key == "backup" && t.op != ":"
		q.coverage = q.coverage || t.key == "backup" && t.op == ":"
		q.terms = append(q.terms, tm)
	}
	return q, nil
}

func badQuery(rule string) error {
	return fault.BadField("query", rule, "node:pve1 tag:web state:running cpu>80 order:cpu")
}

// tokenize splits on blanks outside double quotes.
func tokenize(s string) ([]token, error) {
	var out []token
	for rest := strings.TrimSpace(s); rest != ""; rest = strings.TrimSpace(rest) {
		word, tail, quoted, err := cutWord(rest)
		if err != nil {
			return nil, err
		}
		rest = tail
		t, err := parseToken(word, quoted)
		if err != nil {
			return nil, err
		}
		if t.key != "" || t.value != "" {
			out = append(out, t)
		}
	}
	return out, nil
}

func cutWord(s string) (word, tail string, quoted bool, err error) {
	open := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			open, quoted = !open, true
		case !open && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			return s[:i], s[i:], quoted, nil
		}
	}
	if open {
		return "", "", false, badQuery("a quote is not closed")
	}
	return s, "", quoted, nil
}

func parseToken(word string, quoted bool) (token, error) {
	t := token{raw: word, verbatim: quoted}
	if len(word) > 1 && word[0] == '-' {
		t.negate, word = true, word[1:]
	}
	n := 0
	for n < len(word) && (word[n] >= 'a' && word[n] <= 'z' || word[n] >= 'A' && word[n] <= 'Z' || word[n] == '_') {
		n++
	}
	if n == 0 || n == len(word) || !strings.ContainsRune(":<>=", rune(word[n])) {
		t.value = strings.ReplaceAll(word, `"`, "")
		return t, nil
	}
	t.key, word = strings.ToLower(word[:n]), word[n:]
	for _, op := range []string{">=", "<=", ">", "<", ":", "="} {
		if strings.HasPrefix(word, op) {
			t.op, t.value = strings.Replace(op, "=", ":", 1), strings.ReplaceAll(word[len(op):], `"`, "")
			if len(op) == 2 {
				t.op = op
			}
			break
		}
	}
	if a, ok := aliases[t.key]; ok {
		t.key = a
	}
	k, ok := queryKeys[t.key]
	switch {
	case !ok && t.key != "order":
		return t, unknownKey(t.key)
	case t.value == "":
		return t, badQuery(fmt.Sprintf("%s needs a value, e.g. %s", t.key, k.example))
	}
	return t, nil
}

func unknownKey(key string) error {
	like := near.Word(key, append(sortedNames(queryKeys), "order"))
	rule := fmt.Sprintf("unknown key %q; keys: %s, order", key, strings.Join(sortedNames(queryKeys), ", "))
	if like != "" {
		rule = fmt.Sprintf("unknown key %q, did you mean %s? keys: %s, order", key, like, strings.Join(sortedNames(queryKeys), ", "))
	}
	return badQuery(rule + `; quote text that holds a colon: "a:b"`)
}

func parseTerm(t token) (term, error) {
	tm := term{key: t.key, negate: t.negate}
	if t.key == "" {
		tm.any, tm.values = []matcher{freeText(t.value)}, []string{t.value}
		return tm, nil
	}
	k := queryKeys[t.key]
	values := []string{t.value}
	if !t.verbatim {
		values = strings.Split(t.value, ",")
	}
	for _, v := range values {
		if v == "" {
			continue
		}
		m, err := k.parse(t.op, v)
		if err != nil {
			return tm, fault.BadField("query", fmt.Sprintf("%s: %s", t.key, err.Error()), k.example)
		}
		tm.any, tm.values = append(tm.any, m), append(tm.values, v)
	}
	if tm.any == nil {
		return tm, badQuery(fmt.Sprintf("%s needs a value, e.g. %s", t.key, k.example))
	}
	return tm, nil
}

// orders are the sort keys; those of them that people ask "who is the biggest" by start with the highest.
var orders = map[string]bool{"cpu": true, "mem": true, "memused": true, "maxmem": true, "disk": true, "diskused": true, "maxdisk": true, "uptime": true, "name": false, "vmid": false, "node": false, "state": false}

func (q *query) setOrder(t token) error {
	v, reverse := t.value, false
	if strings.HasPrefix(v, "-") {
		v, reverse = v[1:], true
	}
	descending, ok := orders[v]
	if !ok || t.op != ":" || t.negate {
		return fault.BadField("query", fmt.Sprintf("order: %q is none of %s (a leading - turns it round)", t.value, strings.Join(sortedNames(orders), ", ")),
			"order:cpu")
	}
	q.order, q.reverse = v, descending != reverse
	return nil
}

func oneOf(v string, allowed ...string) error {
	if slices.Contains(allowed, v) {
		return nil
	}
	return fmt.Errorf("%q is none of %s", v, strings.Join(allowed, ", "))
}

func parsePercent(v string) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSuffix(v, "%"), 64)
	if err != nil || f != f || f < 0 || f > 1e6 {
		return 0, fmt.Errorf("%q is not a percentage", v)
	}
	return f / 100, nil
}

// parseSize reads 512M, 4G, 1.5T and the like (4GiB too) as bytes, powers of 1024 as everywhere here.
func parseSize(v string) (float64, error) {
	unit := strings.TrimLeft(v, "0123456789.")
	f, err := strconv.ParseFloat(strings.TrimSuffix(v, unit), 64)
	power := strings.IndexByte("KMGT", (strings.ToUpper(unit) + " ")[0])
	if err != nil || power < 0 || !slices.Contains([]string{"", "b", "ib"}, strings.ToLower(unit[1:])) || f > 1e6 {
		return 0, fmt.Errorf("%q is not a size such as 512M or 4G", v)
	}
	return f * float64(int64(1024)<<(10*power)), nil
}

// parseAge reads 90m, 12h, 7d, 2w.
func parseAge(v string) (time.Duration, error) {
	units := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if len(v) > 1 {
		if n, err := strconv.Atoi(v[:len(v)-1]); err == nil && n >= 0 && n < 100_000 && units[v[len(v)-1]] != 0 {
			return time.Duration(n) * units[v[len(v)-1]], nil
		}
	}
	return 0, fmt.Errorf("%q is not an age such as 12h, 7d or 2w", v)
}
