package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"eligibility/internal/remote"
)

// remoteFlags say which control plane to speak to. The key is never the value of a flag: a process list shows those.
type remoteFlags struct {
	URL     string `name:"url" help:"Address of the control plane." default:"http://127.0.0.1:8081" env:"ELIGIBILITY_URL"`
	Project string `help:"Project on the server; by default the one that project.yaml names." env:"ELIGIBILITY_PROJECT"`
	KeyFile string `help:"File with an admin key of the project, instead of the one in ELIGIBILITY_API_KEY." placeholder:"FILE" type:"path" env:"ELIGIBILITY_API_KEY_FILE"`
}

// keyVariable is the environment variable with the key.
const keyVariable = "ELIGIBILITY_API_KEY"

// maxKeyBytes bounds a key file: a longer one is the wrong file.
const maxKeyBytes = 4096

// client speaks for the project that the flags name, or the given one.
func (f *remoteFlags) client(project string) (*remote.Client, error) {
	if f.Project != "" {
		project = f.Project
	}
	key, err := f.key()
	if err != nil {
		return nil, usage{err}
	}
	client, err := remote.New(remote.Config{URL: f.URL, Project: project, Key: key})
	if err != nil {
		return nil, usage{err}
	}
	return client, nil
}

func (f *remoteFlags) key() (string, error) {
	if f.KeyFile == "" {
		key := os.Getenv(keyVariable)
		if key == "" {
			return "", fmt.Errorf("no key: set %s to an admin key of the project, or name a file with one by --key-file", keyVariable)
		}
		return key, nil
	}
	file, err := os.Open(f.KeyFile)
	if err != nil {
		return "", fmt.Errorf("read the key: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKeyBytes+1))
	if err != nil {
		return "", fmt.Errorf("read the key: %w", err)
	}
	if len(text) > maxKeyBytes {
		return "", errors.New("--key-file: this is no file with a key")
	}
	return strings.TrimSpace(string(text)), nil
}

// interrupted is a context that the first SIGINT or SIGTERM ends.
func interrupted(g *Globals, std streams) (context.Context, func()) {
	return onSignal(context.Background(), g.logger(std.err), func() { os.Exit(exitFailure) })
}
