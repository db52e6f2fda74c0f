package tools

import (
	"strings"
	"sync"
)

// Commanded is a text of ours with the names of tools as the commands that a person runs; program goes before each, such as "proxmox-mcp ".
// It is not for text that others wrote.
func Commanded(text, program string) string {
	if !strings.Contains(text, "_") {
		return text
	}
	var b strings.Builder
	for text != "" {
		n := max(wordLength(text), 1)
		word, rest := text[:n], text[n:]
		if command, ok := commandOf()[word]; ok {
			word = program + command
			if after, json := strings.CutPrefix(rest, " with format json"); json {
				word, rest = word+" -o json", after
			}
		}
		b.WriteString(word)
		text = rest
	}
	return b.String()
}

// commandOf is the command of each tool by its name.
var commandOf = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for _, s := range All() {
		out[s.Name] = s.Command
	}
	return out
})

// wordLength is the length of the word that the text begins with, 0 where it begins with none.
func wordLength(text string) int {
	n := strings.IndexFunc(text, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	if n < 0 {
		return len(text)
	}
	return n
}

// worded is a text of ours in the words of the caller's door.
func worded(d Deps, text string) string {
	if d.Who.Door != "cli" {
		return text
	}
	return Commanded(text, "proxmox-mcp ")
}
