package rules

import (
	"context"
	"errors"
	"slices"
	"sync"

	"eligibility/internal/profile"
)

// maxFrames bounds how many projects' frames are remembered.
const maxFrames = 256

// maxAttempts bounds how often a change is computed anew because another replica's commit came first.
const maxAttempts = 8

// frame is a project's live state without its promotions: what a document is checked against. It is immutable, and exact for its version
// however it came about: read from the store, or derived from the frame of the version before by this service's own commit.
type frame struct {
	project    string
	version    uint64
	settings   Settings
	schema     *profile.Schema
	context    []ContextField
	placements []Placement
	language   *language
}

// language is the rule language of one schema and context, made when first asked for.
type language struct {
	schema  *profile.Schema
	context []ContextField
	once    sync.Once
	env     *env  // set by once
	err     error // set by once
}

func newLanguage(schema *profile.Schema, context []ContextField) *language {
	return &language{schema: schema, context: context}
}

func (l *language) get() (*env, error) {
	l.once.Do(func() { l.env, l.err = newEnv(l.schema, l.context) })
	return l.env, l.err
}

// frame returns the project's live state at its present version. Reading the version is cheap; the whole state is read only when another
// replica changed it.
func (s *Service) frame(ctx context.Context, project string) (*frame, error) {
	s.mu.Lock()
	known := s.frames[project]
	s.mu.Unlock()
	if known != nil {
		version, err := s.repo.Version(ctx, project)
		if err != nil {
			return nil, ofProject(err)
		}
		if version == known.version {
			return known, nil
		}
	}
	spec, err := s.repo.Spec(ctx, project)
	if err != nil {
		return nil, ofProject(err)
	}
	f := &frame{
		project: project, version: spec.Version, settings: spec.Settings, schema: spec.Schema,
		context: spec.Context, placements: spec.Placements,
	}
	if known != nil && known.schema.Version == f.schema.Version && slices.Equal(known.context, f.context) {
		f.language = known.language
	} else {
		f.language = newLanguage(f.schema, f.context)
	}
	s.remember(f)
	return f, nil
}

// ofProject says of a read of the whole project what was not found.
func ofProject(err error) error {
	if errors.Is(err, ErrNotFound) {
		return errors.Join(ErrNoProject, ErrNotFound)
	}
	return err
}

// after is the frame that the commit leaves behind.
func (f *frame) after(c *Commit) *frame {
	next := *f
	next.version = f.version + 1
	if c.Settings != nil {
		next.settings = *c.Settings
	}
	if c.Placements != nil {
		next.placements = c.Placements
	}
	if c.Schema != nil {
		next.schema = c.Schema
	}
	if c.Context != nil {
		next.context = c.Context
	}
	if c.Schema != nil || c.Context != nil {
		next.language = newLanguage(next.schema, next.context)
	}
	return &next
}

// remember keeps the newest frame of a project.
func (s *Service) remember(f *frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.frames[f.project]; old != nil && old.version >= f.version {
		return
	}
	if len(s.frames) >= maxFrames && s.frames[f.project] == nil {
		for project := range s.frames { // any one: a forgotten frame costs one read
			delete(s.frames, project)
			break
		}
	}
	s.frames[f.project] = f
}

// change computes a commit from the live state and applies it, anew when another commit came between. build returns nil when nothing has to
// change. What a request came to that is repeated is not computed again.
func (s *Service) change(ctx context.Context, a Actor, project string, build func(f *frame) (*Commit, error)) (Applied, error) {
	end, err := s.turn(ctx, project)
	if err != nil {
		return Applied{}, err
	}
	defer end()
	for range maxAttempts {
		if applied, err := s.repeated(ctx, project, a.Once); err != nil || applied != nil {
			return orNothing(applied), err
		}
		f, err := s.frame(ctx, project)
		if err != nil {
			return Applied{}, err
		}
		c, err := build(f)
		if err != nil {
			return Applied{}, err
		}
		if c == nil {
			if err := s.nothing(ctx, project, a.Once, f.version); !errors.Is(err, ErrConflict) {
				return Applied{Version: f.version}, err
			}
			continue
		}
		c.Project = project
		c.ExpectVersion = f.version
		applied := Applied{Version: f.version, Changed: true, Head: c.Head, Revision: c.Revision}
		if c.NewVersion {
			applied.Version++
		}
		c.Receipt = a.Once.receipt(c, &applied)
		c.Audit.Version = 0
		if c.NewVersion {
			c.Audit.Version = applied.Version
		}
		applied.At, err = s.repo.Commit(ctx, c)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return Applied{}, err
		}
		if c.NewVersion {
			s.remember(f.after(c))
		}
		if c.Head != nil && c.Head.Generation == 1 {
			s.created(project, c.Head)
		}
		return applied, nil
	}
	return Applied{}, ErrConflict
}

func orNothing(applied *Applied) Applied {
	if applied == nil {
		return Applied{}
	}
	return *applied
}
