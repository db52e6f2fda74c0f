package resources

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// codeAt is a generated file, or what the folder of that name holds.
func codeAt(ctx context.Context, d tools.Deps, a address) (string, error) {
	if d.Code == nil {
		return "", fault.New(fault.NotFound, "this server keeps no code")
	}
	_, files, err := d.Code.Files(ctx, a.cluster)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(files, func(f code.File) bool { return f.Path == a.value }) {
		f, err := d.Code.File(ctx, a.cluster, a.value)
		if err != nil {
			return "", err
		}
		return capped(f.Text), nil
	}
	if list := below(files, a); len(list) > 0 || a.value == "" {
		return listing(a, len(files), list), nil
	}
	return "", noFile(files, a)
}

// below are the addresses of what a folder holds, each file and each folder once.
func below(files []code.File, a address) []string {
	prefix := a.value + "/"
	if a.value == "" {
		prefix = ""
	}
	var out []string
	for _, f := range files {
		rest, ok := strings.CutPrefix(f.Path, prefix)
		if !ok {
			continue
		}
		first, _, folder := strings.Cut(rest, "/")
		at := address{cluster: a.cluster, kind: a.kind, value: prefix + first}.String()
		if folder {
			at += "/"
		}
		out = append(out, at)
	}
	return slices.Compact(out)
}

func listing(a address, all int, list []string) string {
	if all == 0 {
		return "nothing was exported of this cluster yet: export_code makes its files\n"
	}
	return fmt.Sprintf("%s holds:\n%s\n", a, strings.Join(list, "\n"))
}

// noFile names what is near.
func noFile(files []code.File, a address) error {
	var paths, folders []string
	for _, f := range files {
		for at, c := range f.Path {
			if c == '/' && !slices.Contains(folders, f.Path[:at]) {
				folders = append(folders, f.Path[:at])
			}
		}
		paths = append(paths, f.Path)
	}
	e := fault.New(fault.NotFound, "no generated file or folder is called %q", a.value)
	switch n := near.Word(a.value, append(paths, folders...)); {
	case len(files) == 0:
		return e.WithHint("nothing was exported yet: export_code does it")
	case n != "":
		return e.WithHint("did you mean %s?", n)
	}
	return e.WithHint("%s lists what there is", address{cluster: a.cluster, kind: a.kind})
}
