package clients

import (
	"bytes"
	"encoding/json"
	"slices"
)

// sameElseJSON says that two texts hold the same but for the entry, and that the entry is there, or gone.
func sameElseJSON(before, after []byte, keys []string, name string, gone bool) bool {
	a, _, okA := restJSON(before, keys, name)
	b, had, okB := restJSON(after, keys, name)
	return okA && okB && had != gone && a == b
}

// restJSON is a text without the entry, and without objects on the way to it that are empty then, in one canonical form.
func restJSON(src []byte, keys []string, name string) (rest string, had, ok bool) {
	_, plain, err := scanJSON(src)
	if err != nil {
		return "", false, false
	}
	d := json.NewDecoder(bytes.NewReader(plain))
	d.UseNumber()
	var root map[string]any
	if d.Decode(&root) != nil {
		return "", false, false
	}
	chain := []map[string]any{root}
	for _, k := range keys {
		next, is := chain[len(chain)-1][k].(map[string]any)
		if !is {
			break
		}
		chain = append(chain, next)
	}
	if len(chain) == len(keys)+1 {
		_, had = chain[len(keys)][name]
		delete(chain[len(keys)], name)
	}
	for k := len(chain) - 1; k > 0 && len(chain[k]) == 0; k-- {
		delete(chain[k-1], keys[k-1])
	}
	out, err := json.Marshal(root)
	return string(out), had, err == nil
}

// sameElseTOML is sameElseJSON for TOML: the lines that name something are the same, in the same order.
func sameElseTOML(before, after []byte, keys []string, name string, gone bool) bool {
	a, _, okA := restTOML(before, keys, name)
	b, had, okB := restTOML(after, keys, name)
	return okA && okB && had != gone && slices.Equal(a, b)
}

func restTOML(src []byte, keys []string, name string) (rest []string, had, ok bool) {
	items, err := scanTOML(src)
	if err != nil {
		return nil, false, false
	}
	entry := slices.Concat(keys, []string{name})
	for _, it := range items {
		if under(it.path, entry) {
			had = true
			continue
		}
		rest = append(rest, string(bytes.TrimSpace(src[it.at:it.end])))
	}
	return rest, had, true
}
