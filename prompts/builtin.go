package prompts

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

//go:embed builtin/*.md
var files embed.FS

// builtin are the prompts of this program, by name. They are read at the first question; a test reads them all.
var builtin = sync.OnceValues(func() ([]*Prompt, error) {
	list, err := fs.ReadDir(files, "builtin")
	if err != nil {
		return nil, err
	}
	var out []*Prompt
	for _, e := range list {
		raw, err := fs.ReadFile(files, "builtin/"+e.Name())
		if err != nil {
			return nil, err
		}
		p, err := parsePrompt(strings.TrimSuffix(e.Name(), ".md"), raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		out = append(out, p)
	}
	return out, nil
})
