package embedded

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2"
)

// liveCache keeps what the last read of a project's promotions in force was decoded to, so that a publish among thousands decodes one. A head's row says
// which revision is in force, and the content of that revision never changes: an equal row means an equal result, whatever was committed
// in between. What is returned shares memory with the cache and is not to be changed.
type liveCache struct {
	mu       sync.Mutex
	projects map[string]map[string]liveEntry // guarded by mu; maps are replaced, never changed
}

type liveEntry struct {
	head []byte // the row
	live *rules.LivePromotion
}

// read lists the revisions in force, by promotion id.
func (l *liveCache) read(r pebble.Reader, project string) ([]rules.LivePromotion, error) {
	l.mu.Lock()
	known := l.projects[project]
	l.mu.Unlock()
	next := make(map[string]liveEntry, len(known))
	live := make([]rules.LivePromotion, 0, len(known)+1)
	prefix := projectPrefix(tableHead, project)
	err := scan(r, prefix, following(prefix), func(key, value []byte) (bool, error) {
		name := key[len(prefix):]
		entry, ok := known[string(name)]
		if !ok || !bytes.Equal(entry.head, value) {
			var err error
			if entry, err = readLive(r, project, value); err != nil {
				return false, err
			}
		}
		next[string(name)] = entry
		if entry.live != nil {
			live = append(live, *entry.live)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.projects == nil {
		l.projects = make(map[string]map[string]liveEntry)
	}
	l.projects[project] = next
	return live, nil
}

// readLive decodes a head and the revision that it puts into force, if it does.
func readLive(r pebble.Reader, project string, row []byte) (liveEntry, error) {
	entry := liveEntry{head: bytes.Clone(row)}
	var head rules.Head
	if err := json.Unmarshal(row, &head); err != nil {
		return entry, fmt.Errorf("head: %w", err)
	}
	if head.Published == 0 || head.Retired {
		return entry, nil
	}
	var revision rules.Revision
	ok, err := getJSON(r, revisionKey(project, head.ID, head.Published), &revision)
	if err == nil && !ok {
		err = fmt.Errorf("promotion %q: revision %d in force is missing", head.ID, head.Published)
	}
	entry.live = &rules.LivePromotion{Promotion: revision.Promotion, Revision: head.Published, Paused: head.Paused}
	return entry, err
}
