package embedded

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2"
)

// What is in force of a project is kept decoded beside its schema, and replaced in the critical section of the commit that changes it: a publish among thousands
// decodes one document and reads none.

// readLive decodes all that is in force, by promotion id.
func readLive(r pebble.Reader, project string) ([]rules.LivePromotion, error) {
	var live []rules.LivePromotion
	prefix := projectPrefix(tableHead, project)
	err := scan(r, prefix, following(prefix), func(_, row []byte) (bool, error) {
		var head rules.Head
		if err := json.Unmarshal(row, &head); err != nil {
			return false, fmt.Errorf("head: %w", err)
		}
		in, ok, err := inForce(r, project, &head)
		if ok {
			live = append(live, in)
		}
		return true, err
	})
	slices.SortFunc(live, func(x, y rules.LivePromotion) int { return strings.Compare(x.Promotion.ID, y.Promotion.ID) })
	return live, err
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
	return rules.LivePromotion{Promotion: &revision.Promotion, Revision: head.Published, Paused: head.Paused}, ok, err
}

// liveAfter is what is in force after the change of a head. The writer's lock is held. A revision in force keeps its document, whose content never changes.
func (s *Store) liveAfter(live []rules.LivePromotion, change *rules.Commit) ([]rules.LivePromotion, error) {
	head := change.Head
	at, found := slices.BinarySearchFunc(live, head.ID, func(l rules.LivePromotion, id string) int { return strings.Compare(l.Promotion.ID, id) })
	next := rules.LivePromotion{Revision: head.Published, Paused: head.Paused}
	switch {
	case head.Published == 0 || head.Retired:
		if !found {
			return live, nil
		}
		return slices.Delete(slices.Clone(live), at, at+1), nil
	case found && live[at].Revision == head.Published:
		next.Promotion = live[at].Promotion
	case change.Revision != nil && change.Revision.Number == head.Published:
		document, err := json.Marshal(change.Revision.Promotion) // as it will be read after a restart
		if err != nil {
			return nil, err
		}
		next.Promotion = new(rules.Promotion)
		if err := json.Unmarshal(document, next.Promotion); err != nil {
			return nil, err
		}
	default:
		stored, _, err := inForce(s.db, change.Project, head)
		if err != nil {
			return nil, err
		}
		next.Promotion = stored.Promotion
	}
	if found && live[at] == next {
		return live, nil
	}
	after := slices.Clone(live)
	if found {
		after[at] = next
		return after, nil
	}
	return slices.Insert(after, at, next), nil
}
