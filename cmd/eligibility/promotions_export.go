package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"eligibility/internal/remote"
	"eligibility/internal/rulefile"
)

// exportCmd writes what a server has into a folder.
type exportCmd struct {
	Dir string `arg:"" help:"Folder to write; it is made when absent."`
	remoteFlags
	Drafts bool `help:"Write drafts, where there are some, instead of what is in force."`
	Force  bool `help:"Overwrite files that are there."`
}

// Help is the long help.
func (*exportCmd) Help() string {
	return `It writes project.yaml and a file for each promotion below promotions/. Publishing the folder again changes nothing.

    eligibility promotions export shop --project shop`
}

// exported is a file to be written.
type exported struct {
	path string
	text []byte
}

// Run is called by the parser.
func (c *exportCmd) Run(g *Globals, std streams) error {
	client, err := c.client("")
	if err != nil {
		return err
	}
	ctx, stop := interrupted(g, std)
	defer stop()
	// Everything is read before the first file is written: half a folder would look like a whole one.
	files, err := c.files(ctx, client)
	if err != nil {
		return explained(err)
	}
	if !c.Force {
		for _, file := range files {
			if _, err := os.Lstat(file.path); !errors.Is(err, fs.ErrNotExist) {
				return usage{fmt.Errorf("%s is there already: name another folder, or overwrite with --force", file.path)}
			}
		}
	}
	for _, file := range files {
		if err := os.MkdirAll(filepath.Dir(file.path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file.path, file.text, 0o644); err != nil {
			return err
		}
	}
	if g.json() {
		return printJSON(std.out, struct {
			Dir        string `json:"dir"`
			Promotions int    `json:"promotions"`
		}{c.Dir, len(files) - 1})
	}
	_, err = fmt.Fprintf(std.out, "%s written to %s\n", number(len(files)-1, "promotion", "promotions"), c.Dir)
	return err
}

func (c *exportCmd) files(ctx context.Context, client *remote.Client) ([]exported, error) {
	project, err := client.Declarations(ctx)
	if err != nil {
		return nil, err
	}
	text, err := rulefile.Marshal(project)
	if err != nil {
		return nil, err
	}
	files := []exported{{filepath.Join(c.Dir, rulefile.ProjectFile), text}}
	heads, err := client.Heads(ctx)
	if err != nil {
		return nil, err
	}
	for i := range heads {
		revision := heads[i].Published
		if c.Drafts {
			revision = heads[i].Newest()
		}
		if revision == 0 {
			continue
		}
		standing, err := client.Promotion(ctx, heads[i].ID, revision)
		if err != nil {
			return nil, fmt.Errorf("promotion %s: %w", heads[i].ID, err)
		}
		if text, err = rulefile.Marshal(&standing.Promotion); err != nil {
			return nil, fmt.Errorf("promotion %s: %w", heads[i].ID, err)
		}
		files = append(files, exported{filepath.Join(c.Dir, "promotions", heads[i].ID+".yaml"), text})
	}
	return files, nil
}
