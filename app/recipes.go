package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/prompts"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// recipeList is what `recipe list` answers.
type recipeList struct {
	Folder  string      `json:"folder"`
	Recipes []ownEntry  `json:"recipes"`
	Prompts []ownEntry  `json:"prompts"`
	LeftOut []leftEntry `json:"left_out,omitempty"`
}

type ownEntry struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Arguments   []string `json:"arguments,omitempty"`
}

type leftEntry struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

func ownSet(o config.LoadOptions) (*prompts.Set, string, error) {
	dir := config.PromptsFolder(o)
	set, err := prompts.Load(dir)
	return set, dir, err
}

// RecipeList implements cli.Recipes.
func (a *App) RecipeList(g cli.Globals) (cli.Report, error) {
	set, dir, err := ownSet(a.loadOptions(g))
	if err != nil {
		return cli.Report{}, err
	}
	l := recipeList{Folder: dir, Recipes: []ownEntry{}, Prompts: []ownEntry{}}
	for _, r := range set.Recipes {
		l.Recipes = append(l.Recipes, ownEntry{r.Name, r.Description, argumentNames(r.Arguments)})
	}
	for _, p := range set.Prompts {
		if p.Own {
			l.Prompts = append(l.Prompts, ownEntry{p.Name, p.Description, argumentNames(p.Arguments)})
		}
	}
	for _, bad := range set.Problems {
		l.LeftOut = append(l.LeftOut, leftEntry{clean.Line(bad.File, 100), clean.Line(bad.Why, 300)})
	}
	return cli.Report{Value: l, View: l.view(), Partial: len(l.LeftOut) > 0}, nil
}

func (l recipeList) view() tools.View {
	var v tools.View
	v.Line("%s and %s in %s", plural(len(l.Recipes), "recipe"), plural(len(l.Prompts), "prompt"), l.Folder)
	add := func(name string, main bool, list []ownEntry) {
		t := tools.Table{Name: name, Main: main, Columns: []string{"name", "arguments", "what"}}
		for _, e := range list {
			t.Rows = append(t.Rows, []string{e.Name, strings.Join(e.Arguments, " "), clean.Line(e.Description, 160)})
		}
		v.Table(t)
	}
	add("recipes", true, l.Recipes)
	add("prompts", false, l.Prompts)
	t := tools.Table{Name: "left out", Columns: []string{"file", "why"}}
	for _, e := range l.LeftOut {
		t.Rows = append(t.Rows, []string{e.File, e.Why})
	}
	v.Table(t)
	return v
}

// argumentNames are the names; one that may be left out is in brackets.
func argumentNames(list []prompts.Argument) []string {
	var out []string
	for _, a := range list {
		if a.Required {
			out = append(out, a.Name)
		} else {
			out = append(out, "["+a.Name+"]")
		}
	}
	return out
}

func (a *App) recipe(g cli.Globals, name string) (*prompts.Recipe, error) {
	set, dir, err := ownSet(a.loadOptions(g))
	if err != nil {
		return nil, err
	}
	if r := set.Recipe(name); r != nil {
		return r, nil
	}
	var names []string
	for _, r := range set.Recipes {
		names = append(names, r.Name)
	}
	e := fault.New(fault.NotFound, "there is no recipe %.60q in %s", name, dir)
	for _, bad := range set.Problems {
		if strings.HasPrefix(bad.File, name+".") {
			return nil, e.WithHint("%s is left out: %s", bad.File, bad.Why)
		}
	}
	if n := near.Word(name, names); n != "" {
		e.WithHint("did you mean %s?", n)
	}
	return nil, e
}

// RecipeShow implements cli.Recipes.
func (a *App) RecipeShow(g cli.Globals, name string) (cli.Report, error) {
	r, err := a.recipe(g, name)
	if err != nil {
		return cli.Report{}, err
	}
	var v tools.View
	v.Line("%s: %s", r.Name, r.Description)
	args := tools.Table{Name: "arguments", Columns: []string{"name", "needed", "default", "what"}}
	for _, x := range r.Arguments {
		args.Rows = append(args.Rows, []string{x.Name, map[bool]string{true: "yes", false: "no"}[x.Required], x.Default, x.Description})
	}
	v.Table(args)
	steps := tools.Table{Name: "steps", Main: true, Columns: []string{"n", "tool", "args", "why"}}
	for k, st := range r.Steps {
		raw, err := json.Marshal(st.Args)
		if err != nil {
			return cli.Report{}, err
		}
		steps.Rows = append(steps.Rows, []string{fmt.Sprint(k + 1), st.Tool, string(raw), st.Why})
	}
	v.Table(steps)
	return cli.Report{Value: r, View: v}, nil
}

// RecipeNames implements cli.Recipes: "name\tdescription" of each.
func (a *App) RecipeNames(g cli.Globals) []string {
	set, _, err := ownSet(a.loadOptions(g))
	if err != nil {
		return nil
	}
	var out []string
	for _, r := range set.Recipes {
		out = append(out, r.Name+"\t"+r.Description)
	}
	return out
}

// RecipeRun implements cli.Recipes.
func (a *App) RecipeRun(ctx context.Context, g cli.Globals, o cli.RecipeOptions, call cli.RecipeCall, next func(cli.RecipeStep) error) error {
	r, err := a.recipe(g, o.Name)
	if err != nil {
		return err
	}
	_, err = r.Run(ctx, o.Args, o.DryRun, prompts.Caller(call), func(d prompts.Done) error { return next(cli.RecipeStep(d)) })
	return err
}

// ownPrompts checks the owner's prompts and recipes; nothing is said where there are none.
func (r *DoctorReport) ownPrompts(o config.LoadOptions) {
	set, dir, err := ownSet(o)
	if err != nil {
		r.add(failed(Check{Name: "prompts"}, err))
		return
	}
	for _, bad := range set.Problems {
		r.add(Check{Name: "prompts", State: CheckWarn, Result: "left out: " + clean.Line(bad.File, 100) + ": " + clean.Line(bad.Why, 300), Fix: "mend the file; proxmox-mcp recipe list looks again"})
	}
	n := len(set.Recipes)
	for _, p := range set.Prompts {
		if p.Own {
			n++
		}
	}
	if n > 0 {
		r.add(Check{Name: "prompts", State: CheckOK, Result: dir + ": " + plural(n, "file")})
	}
}
