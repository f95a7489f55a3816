package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"eligibility/internal/audit"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

var errCommit = errors.New("malformed commit")

// CreateProject makes a project at ruleset version 1 with the spec's settings, schema (that of a new project when nil), context and
// placements. Promotions are committed one by one afterwards; the spec's are not read. rules.ErrExists, profile.ErrProject.
func (s *Store) CreateProject(ctx context.Context, spec rules.Spec, entry audit.Entry) (hlc.Timestamp, error) {
	if !profile.ValidProject(spec.Project) {
		return hlc.Timestamp{}, fmt.Errorf("create project: %w", profile.ErrProject)
	}
	if spec.Schema == nil {
		spec.Schema = profile.NewSchema()
	}
	return s.author(ctx, "create project", func() (*commit, error) {
		if _, ok := s.projects.Load().byName[spec.Project]; ok {
			return nil, fmt.Errorf("project %q: %w", spec.Project, rules.ErrExists)
		}
		c := s.newCommit()
		err := errors.Join(
			c.setJSON(projectKey(spec.Project, partSettings), spec.Settings),
			c.setJSON(projectKey(spec.Project, partContext), spec.Context),
			c.setJSON(projectKey(spec.Project, partPlacements), spec.Placements),
			c.setJSON(projectKey(spec.Project, partSchema), spec.Schema),
			c.setVersion(spec.Project, 1),
		)
		entry.Version = 1
		c.record(entry)
		s.swapProject(c, spec.Project, project{version: 1, schema: spec.Schema})
		return c, err
	})
}

// Commit applies one change of what marketers author, or nothing of it: rules.ErrConflict when the project has another version than the
// change was computed from, when the promotion's head has changed meanwhile, or when a published revision would get another content.
func (s *Store) Commit(ctx context.Context, change *rules.Commit) (hlc.Timestamp, error) {
	return s.author(ctx, "commit", func() (*commit, error) {
		stored, ok := s.projects.Load().byName[change.Project]
		if !ok {
			return nil, fmt.Errorf("project %q: %w", change.Project, rules.ErrNotFound)
		}
		if change.NewVersion && stored.version != change.ExpectVersion {
			return nil, fmt.Errorf("%w: ruleset version is %d, the change was computed from %d",
				rules.ErrConflict, stored.version, change.ExpectVersion)
		}
		if err := s.checkHead(change); err != nil {
			return nil, err
		}
		if err := s.checkRevision(change); err != nil {
			return nil, err
		}
		if err := s.checkReceipt(change); err != nil {
			return nil, err
		}
		c := s.newCommit()
		entry := change.Audit
		entry.Project, entry.Version = change.Project, 0
		next := stored
		revision, err := c.setParts(change)
		if change.Schema != nil {
			next.schema = change.Schema
		}
		if change.NewVersion {
			next.version++
			entry.Version = next.version
			err = errors.Join(err, c.setVersion(change.Project, next.version))
		}
		if !change.OnlyReceipt() {
			c.record(entry)
		}
		c.receipt(change)
		if change.Head != nil && err == nil {
			next.live, err = s.liveAfter(stored.live, change, revision)
		}
		if change.NewVersion || change.Schema != nil || change.Head != nil {
			s.swapProject(c, change.Project, next)
		}
		return c, err
	})
}

// author runs prepare between the read and the commit of one authored change.
func (s *Store) author(ctx context.Context, what string, prepare func() (*commit, error)) (hlc.Timestamp, error) {
	if err := s.beginWrite(ctx); err != nil {
		return hlc.Timestamp{}, fmt.Errorf("%s: %w", what, err)
	}
	c, err := prepare()
	if err != nil {
		if c != nil {
			c.drop()
		}
		s.abort()
		return hlc.Timestamp{}, fmt.Errorf("%s: %w", what, err)
	}
	at, err := s.commit(c)
	if err != nil {
		return hlc.Timestamp{}, fmt.Errorf("%s: %w", what, err)
	}
	return at, nil
}

// checkHead compares the generations of the change's head and the stored one.
func (s *Store) checkHead(change *rules.Commit) error {
	if change.Head == nil {
		return nil
	}
	var stored rules.Head
	if _, err := getJSON(s.db, namedKey(tableHead, change.Project, change.Head.ID), &stored); err != nil {
		return unavailable("read head", err)
	}
	if change.Head.Generation != stored.Generation+1 {
		return fmt.Errorf("promotion %q: %w: it is at generation %d", change.Head.ID, rules.ErrConflict, stored.Generation)
	}
	return nil
}

// checkRevision keeps the content of published revisions as it is.
func (s *Store) checkRevision(change *rules.Commit) error {
	if change.Revision == nil {
		return nil
	}
	if change.Head == nil || change.Head.ID != change.Revision.Promotion.ID || change.Revision.Number < 1 {
		return fmt.Errorf("%w: a revision comes with the head of its promotion and a number from 1", errCommit)
	}
	var stored rules.Revision
	ok, err := getJSON(s.db, revisionKey(change.Project, change.Head.ID, change.Revision.Number), &stored)
	if err != nil {
		return unavailable("read revision", err)
	}
	if !ok || stored.PublishedAt == nil {
		return nil
	}
	before, err := json.Marshal(stored.Promotion)
	if err != nil {
		return err
	}
	after, err := json.Marshal(change.Revision.Promotion)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, after) {
		return fmt.Errorf("promotion %q: %w: revision %d is published and stays as it is", change.Head.ID, rules.ErrConflict, stored.Number)
	}
	return nil
}

// setParts writes the parts that the change brings, and returns the row of its revision.
func (c *commit) setParts(change *rules.Commit) (revision []byte, err error) {
	var errs []error
	set := func(key []byte, v any) { errs = append(errs, c.setJSON(key, v)) }
	if change.Settings != nil {
		set(projectKey(change.Project, partSettings), change.Settings)
	}
	if change.Schema != nil {
		set(projectKey(change.Project, partSchema), change.Schema)
	}
	if change.Context != nil {
		set(projectKey(change.Project, partContext), change.Context)
	}
	if change.Placements != nil {
		set(projectKey(change.Project, partPlacements), change.Placements)
	}
	if change.Head != nil {
		set(namedKey(tableHead, change.Project, change.Head.ID), change.Head)
	}
	if change.Revision != nil {
		revision, err = json.Marshal(change.Revision)
		errs = append(errs, err, c.batch.Set(revisionKey(change.Project, change.Revision.Promotion.ID, change.Revision.Number), revision, nil))
	}
	return revision, errors.Join(errs...)
}

func (c *commit) setJSON(key []byte, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.batch.Set(key, value, nil)
}

// setVersion writes the project's ruleset version and puts it on the feed.
func (c *commit) setVersion(name string, version uint64) error {
	c.change(events.TableRuleset, name, "")
	return c.batch.Set(projectKey(name, partVersion), binary.BigEndian.AppendUint64(nil, version), nil)
}

// swapProject makes the project's new state current together with the commit. The writer's lock is held until then.
func (s *Store) swapProject(c *commit, name string, next project) {
	all := s.projects.Load().with(name, next)
	c.applied = func() { s.projects.Store(all) }
}
