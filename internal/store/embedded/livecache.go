package embedded

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"

	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2"
)

// liveCache keeps what the last read of a project's promotions in force was decoded to, so that a publish among thousands decodes one. A head's row says
// which revision is in force, and the content of that revision never changes: an equal row means an equal result, whatever was committed
// in between. What is returned shares memory with the cache and is not to be changed.
type liveCache struct {
	mu       sync.Mutex
	projects map[string][]liveEntry // guarded by mu; in the order of keys; replaced, never changed
}

type liveEntry struct {
	key, head []byte // of the row
	live      *rules.LivePromotion
}

// readTurn is after how many rows a read of thousands lets others run.
const readTurn = 64

// read lists the revisions in force, by promotion id.
func (l *liveCache) read(r pebble.Reader, project string) ([]rules.LivePromotion, error) {
	l.mu.Lock()
	known := l.projects[project]
	l.mu.Unlock()
	next := make([]liveEntry, 0, len(known)+1)
	live := make([]rules.LivePromotion, 0, len(known)+1)
	prefix := projectPrefix(tableHead, project)
	err := scan(r, prefix, following(prefix), func(key, row []byte) (bool, error) {
		// Both are in the order of keys: they are walked side by side.
		for len(known) > 0 && bytes.Compare(known[0].key, key) < 0 {
			known = known[1:]
		}
		if len(known) > 0 && bytes.Equal(known[0].key, key) && bytes.Equal(known[0].head, row) {
			next = append(next, known[0])
		} else {
			entry, err := readLive(r, project, key, row)
			if err != nil {
				return false, err
			}
			next = append(next, entry)
		}
		if entry := &next[len(next)-1]; entry.live != nil {
			live = append(live, *entry.live)
		}
		if len(next)%readTurn == 0 {
			runtime.Gosched()
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.projects == nil {
		l.projects = make(map[string][]liveEntry)
	}
	l.projects[project] = next
	return live, nil
}

// readLive decodes a head and the revision that it puts into force, if it does.
func readLive(r pebble.Reader, project string, key, row []byte) (liveEntry, error) {
	entry := liveEntry{key: bytes.Clone(key), head: bytes.Clone(row)}
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
