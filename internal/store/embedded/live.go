package embedded

import (
	"encoding/json"
	"fmt"
	"runtime"
	"sync/atomic"

	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sync/errgroup"
)

// What is in force of a project is kept decoded beside its schema, and replaced in the critical section of the commit that changes it: a publish among thousands
// decodes one document and reads none.

// readLive decodes all that is in force, on all processors: at a start, everybody waits for it.
func readLive(r pebble.Reader, project string) (rules.Roll[rules.LivePromotion], error) {
	var heads []rules.Head
	prefix := projectPrefix(tableHead, project)
	err := scan(r, prefix, following(prefix), func(_, row []byte) (bool, error) {
		var head rules.Head
		if err := json.Unmarshal(row, &head); err != nil {
			return false, fmt.Errorf("head: %w", err)
		}
		heads = append(heads, head)
		return true, nil
	})
	if err != nil {
		return rules.Roll[rules.LivePromotion]{}, err
	}
	const turn = 64
	var next atomic.Int64
	var group errgroup.Group
	live, in := make([]rules.LivePromotion, len(heads)), make([]bool, len(heads))
	for range min(runtime.GOMAXPROCS(0), 1+len(heads)/turn) {
		group.Go(func() error {
			for i := int(next.Add(1) - 1); i < len(heads); i = int(next.Add(1) - 1) {
				var err error
				if live[i], in[i], err = inForce(r, project, &heads[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return rules.Roll[rules.LivePromotion]{}, err
	}
	kept := live[:0]
	for i, ok := range in {
		if ok {
			kept = append(kept, live[i])
		}
	}
	return rules.NewRoll(kept...), nil
}

// inForce decodes the revision that a head puts into force, if it does.
func inForce(r pebble.Reader, project string, head *rules.Head) (live rules.LivePromotion, ok bool, err error) {
	if head.Published == 0 || head.Retired {
		return live, false, nil
	}
	var revision rules.Revision
	ok, err = getJSON(r, revisionKey(project, head.ID, head.Published), &revision)
	if err == nil && !ok {
		err = fmt.Errorf("promotion %q: revision %d in force is missing", head.ID, head.Published)
	}
	document := revision.Promotion // and not what else is known of the revision
	return rules.LivePromotion{Promotion: &document, Revision: head.Published, Paused: head.Paused}, ok, err
}

// liveAfter is what is in force after the change of a head. The writer's lock is held. A revision in force keeps its document, whose content never changes. A revision that
// the change brings is read from row, as it will be after a restart.
func (s *Store) liveAfter(live rules.Roll[rules.LivePromotion], change *rules.Commit, row []byte) (rules.Roll[rules.LivePromotion], error) {
	head := change.Head
	if head.Published == 0 || head.Retired {
		return live.Without(head.ID), nil
	}
	next := rules.LivePromotion{Revision: head.Published, Paused: head.Paused}
	old, found := live.Find(head.ID)
	switch {
	case found && old.Revision == head.Published:
		next.Promotion = old.Promotion
	case change.Revision != nil && change.Revision.Number == head.Published:
		var revision rules.Revision
		if err := json.Unmarshal(row, &revision); err != nil {
			return live, err
		}
		document := revision.Promotion
		next.Promotion = &document
	default:
		stored, _, err := inForce(s.db, change.Project, head)
		if err != nil {
			return live, err
		}
		next.Promotion = stored.Promotion
	}
	return live.With(next), nil
}
