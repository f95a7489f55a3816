package embedded

import (
	"context"
	"math/rand/v2"
	"slices"

	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2"
)

var _ rules.Sampler = (*Store)(nil)

// Sample returns n users drawn from those who have a profile row, each n of them with the same chance and without repetition, all as of
// one stamp; and how many such users there are. It passes over every user of the project once, about a microsecond for each, and gives up
// when ctx ends. A user of whom only events are known has no profile row and is never drawn.
func (s *Store) Sample(ctx context.Context, project string, n int) (users []*profile.Snapshot, total int, err error) {
	err = s.reading(ctx, "sample users", func(v view) error {
		keys, seen, err := reservoir(ctx, v, project, n)
		if err != nil {
			return err
		}
		l := s.builders.Get().(*loader)
		defer s.builders.Put(l)
		users, total = make([]*profile.Snapshot, len(keys)), seen
		return l.load(ctx, s, v, keys, users)
	})
	if err != nil {
		return nil, 0, err
	}
	return users, total, nil
}

// reservoir draws n users in one pass (Vitter's algorithm R), by ascending id, and counts all.
func reservoir(ctx context.Context, r pebble.Reader, project string, n int) (keys []profile.Key, total int, err error) {
	const beat = 1024 // users between two looks at ctx
	prefix := projectPrefix(tableUser, project)
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: following(prefix)})
	if err != nil {
		return nil, 0, err
	}
	defer closing(it, &err)
	var next []byte
	for ok := it.First(); ok; ok = it.SeekGE(next) {
		user, rest, err := cutText(it.Key()[len(prefix):])
		if err != nil || len(rest) == 0 {
			return nil, 0, errKey
		}
		if rest[0] == userRow {
			if total%beat == 0 && ctx.Err() != nil {
				return nil, 0, ctx.Err()
			}
			total++
			if place := rand.IntN(total); len(keys) < n {
				keys = append(keys, profile.Key{Project: project, User: string(user)})
			} else if place < n {
				keys[place].User = string(user)
			}
		}
		next = append(next[:0], it.Key()[:len(it.Key())-len(rest)]...)
		next[len(next)-1]++ // behind all rows of this user: the prefix ends in a terminator
	}
	slices.SortFunc(keys, func(a, b profile.Key) int {
		if a.User < b.User {
			return -1
		}
		return 1
	})
	return keys, total, it.Error()
}
