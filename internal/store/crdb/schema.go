package crdb

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"sync"

	"eligibility/internal/profile"
)

// schemas keeps the schema of each project that a read last brought. A load tells which ones it knows, gets the version of the present
// one from the same statement, and the document only when it is another: so that a snapshot is never decoded with another schema than the
// one in force at its stamp. The zero value is ready.
type schemas struct {
	mu        sync.RWMutex
	byProject map[string]knownSchemas // guarded by mu; of one project each
}

// knownSchemas is what a load begins with. It is shared between loads and not to be changed.
type knownSchemas struct {
	byProject map[string]*profile.Schema // of the projects that were seen
	versions  []string                   // "project:version" of them
	types     []string                   // names of their declared event types
}

// of returns what is known of the projects.
func (c *schemas) of(projects []string) knownSchemas {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(projects) == 1 {
		if known, ok := c.byProject[projects[0]]; ok {
			return known
		}
	}
	all := knownSchemas{byProject: make(map[string]*profile.Schema, len(projects)), versions: []string{}, types: []string{}}
	for _, project := range projects {
		known := c.byProject[project]
		maps.Copy(all.byProject, known.byProject)
		all.versions, all.types = append(all.versions, known.versions...), append(all.types, known.types...)
	}
	return all
}

// learn takes in the document of a project's schema.
func (c *schemas) learn(project, document string) error {
	schema, err := decodeSchema(document)
	if err != nil {
		return fmt.Errorf("%w: schema of project %q: %w", profile.ErrUnavailable, project, err)
	}
	known := knownSchemas{
		byProject: map[string]*profile.Schema{project: schema},
		versions:  []string{project + ":" + strconv.FormatUint(schema.Version, 10)},
		types:     make([]string, len(schema.EventTypes)),
	}
	for i := range schema.EventTypes {
		known.types[i] = schema.EventTypes[i].Name
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byProject == nil {
		c.byProject = make(map[string]knownSchemas)
	}
	c.byProject[project] = known
	return nil
}

// decodeSchema reads a stored schema.
func decodeSchema(document string) (*profile.Schema, error) {
	schema := new(profile.Schema)
	if err := json.Unmarshal([]byte(document), schema); err != nil {
		return nil, err
	}
	schema.Index()
	return schema, nil
}
