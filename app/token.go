package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/server/auth"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// tokenName says whether a name can be part of a principal, such as token:laptop.
func tokenName(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == "" && strings.Trim(s[:1], "._-") != ""
}

// TokenCreate implements cli.TokenKeeper. What can change something asks for the operator's passphrase, as allow does.
func (a *App) TokenCreate(ctx context.Context, g cli.Globals, o cli.TokenOptions, t cli.Terminal) (cli.Report, error) {
	cfg, err := a.settings(g)
	if err != nil {
		return cli.Report{}, err
	}
	row, err := a.tokenOf(cfg, o)
	if err != nil {
		return cli.Report{}, err
	}
	reach := reachOf(cfg, &row)
	secret, hash := auth.NewToken()
	row.Hash = hash
	err = a.withKeeper(ctx, g, func(db *store.DB, k *change.Keeper) error {
		if err := db.TokenFree(ctx, row); err != nil {
			return err
		}
		if row.Tier > int(change.Read) {
			row.By = change.OperatorPrincipal
			if err := proveFor(ctx, k, t, fmt.Sprintf("This makes the token %s: %s.\n", row.Name, reach)); err != nil {
				return err
			}
		}
		return db.AddToken(ctx, row, a.tokenEntry(row.By, "made: "+row.Name+": "+reach))
	})
	if err != nil {
		return cli.Report{}, err
	}
	t.Say("Made token %s: %s.\nIt is shown this once. Clients send it in a header, Authorization: Bearer TOKEN:", row.Name, reach)
	v := tools.View{}
	v.Text(secret)
	return cli.Report{Value: map[string]string{"name": row.Name, "token": secret, "reach": reach}, View: v}, nil
}

// tokenOf checks what a token is to reach, before anybody is asked for a passphrase.
func (a *App) tokenOf(cfg *config.Config, o cli.TokenOptions) (store.TokenRow, error) {
	row := store.TokenRow{Name: o.Name, By: server.LocalPrincipal().String(), Created: a.Clock().UTC(), Families: o.Families}
	if !tokenName(o.Name) {
		return row, fault.BadField("name", "must be 1 to 40 small letters, digits, dots, dashes and underscores", "laptop")
	}
	tier, ok := change.TierOf(o.Tier)
	if !ok {
		return row, fault.BadField("tier", "must be one of read, reversible, disruptive, destructive, host", "reversible")
	}
	if most := rulesOf(cfg).Maximum; tier > most {
		return row, fault.New(fault.Denied, "%s is more than the configuration permits", tier).WithHint("changes.maximum is %s; raise it in the configuration file first", most)
	}
	row.Tier = int(tier)
	for _, name := range o.Clusters {
		if err := configuredCluster(cfg, name); err != nil {
			return row, err
		}
		row.Clusters = append(row.Clusters, storedCluster(cfg, name))
	}
	if err := (tools.Toolset{Families: o.Families}).Check(); err != nil {
		return row, err
	}
	writing := tools.WritingFamilies()
	if len(o.Families) > 0 && tier > change.Read && !slices.ContainsFunc(o.Families, func(f string) bool { return slices.Contains(writing, f) }) {
		return row, fault.BadField("family", "no tool of these changes anything; with this tier give one of "+strings.Join(writing, ", ")+" too", writing[0])
	}
	if o.Expires > 0 {
		row.Expires = row.Created.Add(o.Expires).Truncate(time.Second)
	}
	return row, nil
}

func (a *App) tokenEntry(who, detail string) store.AuditEntry {
	return store.AuditEntry{At: a.Clock().UTC().Truncate(time.Millisecond), Principal: who, Door: "cli", Event: "token", Outcome: "ok", Detail: detail}
}

// reachOf is what a token reaches, in words.
func reachOf(cfg *config.Config, t *store.TokenRow) string {
	tier := change.Tier(t.Tier)
	text := "reads"
	if tier > change.Read {
		text = "reads, and changes up to " + tier.String() + " as far as the server allows them"
	}
	if t.Clusters != nil {
		text += "; cluster " + strings.Join(t.Clusters, ", ")
	}
	if t.Families != nil {
		text += "; tools of " + strings.Join(t.Families, ", ")
	}
	if t.Expires.IsZero() {
		return text + "; until it is revoked"
	}
	return text + "; until " + t.Expires.In(cfg.Location()).Format(time.RFC3339)
}

// tokenJSON is a token as programs read it.
type tokenJSON struct {
	Name     string     `json:"name"`
	State    string     `json:"state"` // live, expired, revoked
	Tier     string     `json:"tier"`
	Clusters []string   `json:"clusters,omitempty"`
	Families []string   `json:"families,omitempty"`
	By       string     `json:"by"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	Revoked  *time.Time `json:"revoked,omitempty"`
	Used     *time.Time `json:"last_login,omitempty"`
}

// TokenList implements cli.TokenKeeper.
func (a *App) TokenList(ctx context.Context, g cli.Globals) (cli.Report, error) {
	list, v := []tokenJSON{}, tools.View{}
	t := tools.Table{Name: "tokens", Main: true, Columns: []string{"name", "state", "tier", "clusters", "families", "expires", "made", "by", "last login"}}
	zone := a.zone(g)
	err := a.withAudit(ctx, g, func(db *store.DB) error {
		rows, err := db.Tokens(ctx)
		for k := range rows {
			j := a.tokenJSON(&rows[k])
			list = append(list, j)
			t.Rows = append(t.Rows, []string{j.Name, j.State, j.Tier, orAll(j.Clusters), orAll(j.Families), orNever(j.Expires, zone),
				j.Created.In(zone).Format(time.RFC3339), j.By, orNever(j.Used, zone)})
		}
		return err
	})
	if len(list) == 0 {
		v.Line("There are no tokens. To make one: proxmox-mcp token create NAME")
	}
	v.Table(t)
	return cli.Report{Value: list, View: v}, err
}

func (a *App) tokenJSON(t *store.TokenRow) tokenJSON {
	j := tokenJSON{Name: t.Name, State: "live", Tier: change.Tier(t.Tier).String(), Clusters: t.Clusters, Families: t.Families, By: t.By, Created: t.Created,
		Expires: known(t.Expires), Revoked: known(t.Revoked), Used: known(t.Used)}
	switch {
	case j.Revoked != nil:
		j.State = "revoked"
	case !t.Live(a.Clock()):
		j.State = "expired"
	}
	return j
}

// known is nil for a time that there is not.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func orAll(names []string) string {
	if names == nil {
		return "all"
	}
	return strings.Join(names, ",")
}

func orNever(t *time.Time, zone *time.Location) string {
	if t == nil {
		return "never"
	}
	return t.In(zone).Format(time.RFC3339)
}

// TokenRevoke implements cli.TokenKeeper. It asks for nothing: less is always allowed.
func (a *App) TokenRevoke(ctx context.Context, g cli.Globals, name string) error {
	return a.withAudit(ctx, g, func(db *store.DB) error {
		return db.RevokeToken(ctx, name, a.tokenEntry(server.LocalPrincipal().String(), fmt.Sprintf("revoked: %.40s", name)))
	})
}
