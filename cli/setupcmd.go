package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// SetupOptions are those of `setup`. What is empty is asked for, where somebody is there to answer.
type SetupOptions struct {
	In           io.Reader
	Endpoint     string
	Fingerprints []string
	TokenFile    string // "-" is standard input
	Name         string
	Force        bool
	Allow        string   // a tier that the token shall be good for, and that is allowed
	Clients      []string // ids, or all, or none; empty: those that are found, after a question
	ServerName   string   // the entry in the clients' files
	Yes, DryRun  bool     // write the clients' files without a question; or only show what would be written
	Recipe       bool     // only print how to make the token
	Remove       bool     // take the entry out of the clients again
	Alone        bool     // nobody is there to answer
}

func setupCommand(p Program, g *Globals, s Streams) *cobra.Command {
	var o SetupOptions
	cmd := &cobra.Command{
		Use: "setup", Short: "Connect a cluster, set the operator's passphrase, and register with the MCP clients that are here", Args: cobra.NoArgs,
		Long: `Asks for address and token (and prints the pveum lines that make one with no more rights than wanted), lets you compare and pin the certificate, says
which tools will work, writes the configuration (mode 0600), shows a first overview, offers the operator's passphrase, and adds this program to the
MCP clients that it finds, after showing what changes in their files. Every file that is replaced is kept as a copy. Again, it changes only what is new.

Without a terminal: --endpoint or PROXMOX_VE_ENDPOINT, --fingerprint or PROXMOX_VE_FINGERPRINT where no authority vouches for the certificate, and the token by
--token-file or PROXMOX_VE_API_TOKEN, never as an argument. A passphrase is never taken from a script.`,
		Example: "  proxmox-mcp setup\n  proxmox-mcp setup --recipe --allow disruptive\n  proxmox-mcp setup --clients all --dry-run\n  proxmox-mcp setup --remove --yes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkSetup(&o, s); err != nil {
				return err
			}
			bar := newProgress(s.Err)
			r, err := p.Setup(cmd.Context(), *g, o, person(cmd.Context(), s, bar))
			bar.done()
			return report(s, *g)(r, err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Endpoint, "endpoint", "", "`ADDRESS` of a node, such as https://192.0.2.10:8006; also PROXMOX_VE_ENDPOINT")
	f.StringSliceVar(&o.Fingerprints, "fingerprint", nil, "`SHA-256` of the certificate, compared beforehand; also PROXMOX_VE_FINGERPRINT")
	f.StringVar(&o.TokenFile, "token-file", "", "`FILE` with the token, - for standard input; also PROXMOX_VE_API_TOKEN")
	f.StringVar(&o.Name, "name", "", "`NAME` for the cluster in the configuration (default: that of the cluster)")
	f.BoolVar(&o.Force, "force", false, "replace the cluster of that name in the configuration")
	f.StringVar(&o.Allow, "allow", "", "what agents shall be able to change, as a `TIER`: "+strings.Join(tiers, ", ")+" (default: nothing)")
	f.StringSliceVar(&o.Clients, "clients", nil, "`CLIENTS` to register with: all, none, or some of claude-desktop, claude-code, cursor, vscode, codex, gemini, zed")
	f.StringVar(&o.ServerName, "server-name", "proxmox", "`NAME` of the entry in the clients' files")
	f.BoolVar(&o.Yes, "yes", false, "write the clients' files without a question")
	f.BoolVar(&o.DryRun, "dry-run", false, "only show what would be written to the clients' files")
	f.BoolVar(&o.Recipe, "recipe", false, "only print the pveum lines that make the token")
	f.BoolVar(&o.Remove, "remove", false, "take the entry out of the clients' files again; configuration and store stay")
	_ = cmd.RegisterFlagCompletionFunc("allow", cobra.FixedCompletions(tiers, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// checkSetup refuses what excludes each other, and sees whether somebody is there.
func checkSetup(o *SetupOptions, s Streams) error {
	if o.Allow != "" {
		if err := oneOf("allow", o.Allow, tiers); err != nil {
			return err
		}
	}
	if o.Recipe && o.Remove {
		return usageError{fmt.Errorf("--recipe and --remove exclude each other")}
	}
	if o.ServerName == "" || strings.Trim(o.ServerName, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return fault.BadField("server-name", "must be letters, digits, _ and -", "proxmox")
	}
	f, ok := s.In.(*os.File)
	o.In, o.Alone = s.In, !ok || !term.IsTerminal(int(f.Fd())) || o.TokenFile == "-"
	return nil
}
