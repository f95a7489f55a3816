package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"eligibility/internal/remote"
)

// keysCmd keeps the API keys of a project.
type keysCmd struct {
	List   keysListCmd   `cmd:"" help:"List the keys, revoked ones included."`
	Create keysCreateCmd `cmd:"" help:"Make a key. It is printed once and cannot be read again."`
	Revoke keysRevokeCmd `cmd:"" help:"End a key for good, on every replica."`
	Rotate keysRotateCmd `cmd:"" help:"Give a client key a new secret for user tokens; the one before stays valid until the next rotation."`
}

type keysListCmd struct{ remoteFlags }

// Run is called by the parser.
func (c *keysListCmd) Run(g *Globals, std streams) error {
	return c.withKeys(g, std, func(ctx context.Context, client *remote.Client) error {
		keys, err := client.Keys(ctx)
		if err != nil {
			return err
		}
		if g.json() {
			return json.NewEncoder(std.out).Encode(map[string]any{"items": keys})
		}
		table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tKIND\tMADE\tSTATE\tNAME")
		for i := range keys {
			k := &keys[i]
			state := "in force"
			if k.RevokedAt != nil {
				state = "revoked " + k.RevokedAt.Format(time.DateOnly)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", k.ID, kindOf(k), k.CreatedAt.Format(time.DateOnly), state, k.Name)
		}
		return table.Flush()
	})
}

type keysCreateCmd struct {
	remoteFlags
	Kind  string `arg:"" enum:"client,server,admin" help:"client (public, in an app), server (for a backend) or admin (for authors)."`
	Role  string `help:"Of an admin key: viewer, editor, publisher or owner." placeholder:"ROLE"`
	Name  string `help:"What the key is for."`
	NoJWT bool   `name:"no-jwt" help:"Of a client key: let it speak for any user without a user token. For trials only."`
}

// Help is the long help.
func (*keysCreateCmd) Help() string {
	return `    eligibility keys create client --project shop --name 'iOS app'
    eligibility keys create admin --role publisher --project shop

The calling key is the root key or an owner's.`
}

// Run is called by the parser.
func (c *keysCreateCmd) Run(g *Globals, std streams) error {
	in := remote.NewKey{Kind: c.Kind, Role: c.Role, Name: c.Name}
	if c.NoJWT {
		demand := false
		in.RequireJWT = &demand
	}
	return c.withKeys(g, std, func(ctx context.Context, client *remote.Client) error {
		made, err := client.CreateKey(ctx, in)
		if err != nil {
			return err
		}
		return shown(g, std, &made, "made")
	})
}

type keysRevokeCmd struct {
	remoteFlags
	ID string `arg:"" help:"Id of the key, as the list shows it."`
}

// Run is called by the parser.
func (c *keysRevokeCmd) Run(g *Globals, std streams) error {
	return c.withKeys(g, std, func(ctx context.Context, client *remote.Client) error {
		revoked, err := client.RevokeKey(ctx, c.ID)
		if err != nil {
			return err
		}
		return shown(g, std, &revoked, "revoked")
	})
}

type keysRotateCmd struct {
	remoteFlags
	ID string `arg:"" help:"Id of the client key, as the list shows it."`
}

// Run is called by the parser.
func (c *keysRotateCmd) Run(g *Globals, std streams) error {
	return c.withKeys(g, std, func(ctx context.Context, client *remote.Client) error {
		rotated, err := client.RotateKey(ctx, c.ID)
		if err != nil {
			return err
		}
		return shown(g, std, &rotated, "given a new secret")
	})
}

// withKeys runs a verb with a client of the control plane.
func (f *remoteFlags) withKeys(g *Globals, std streams, do func(context.Context, *remote.Client) error) error {
	client, err := f.client("")
	if err != nil {
		return err
	}
	ctx, stop := interrupted(g, std)
	defer stop()
	if err := do(ctx, client); err != nil {
		return explained(err)
	}
	return nil
}

// shown prints a key and the secrets that came with it. What a script wants stands on standard output alone.
func shown(g *Globals, std streams, k *remote.Key, what string) error {
	if g.json() {
		return json.NewEncoder(std.out).Encode(k)
	}
	fmt.Fprintf(std.err, "%s key %s was %s\n", kindOf(k), k.ID, what)
	if k.Secret != "" || k.JWTSecret != "" {
		fmt.Fprintln(std.err, "keep what follows: it cannot be read again")
	}
	if k.Secret != "" {
		fmt.Fprintf(std.out, "key %s\n", k.Secret)
	}
	if k.JWTSecret != "" {
		fmt.Fprintf(std.out, "jwtSecret %s\n", k.JWTSecret)
	}
	return nil
}

func kindOf(k *remote.Key) string {
	switch {
	case k.Role != "":
		return k.Kind + ":" + k.Role
	case k.RequireJWT != nil && !*k.RequireJWT:
		return k.Kind + " without tokens"
	}
	return k.Kind
}
