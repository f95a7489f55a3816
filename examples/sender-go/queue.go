package main

import (
	"container/heap"
	"time"
)

// Queue is the users who are looked at again later, the earliest first. Not safe for concurrent use.
type Queue struct{ users later }

type waiting struct {
	userID string
	at     time.Time
}

// Len is how many wait.
func (q *Queue) Len() int { return len(q.users) }

// Push has the user wait until then.
func (q *Queue) Push(userID string, at time.Time) { heap.Push(&q.users, waiting{userID, at}) }

// Due takes out a user whose time has come.
func (q *Queue) Due(now time.Time) (userID string, ok bool) {
	if len(q.users) == 0 || q.users[0].at.After(now) {
		return "", false
	}
	return heap.Pop(&q.users).(waiting).userID, true
}

// Next is when the first one's time comes; only while somebody waits.
func (q *Queue) Next() time.Time { return q.users[0].at }

type later []waiting

func (l later) Len() int           { return len(l) }
func (l later) Less(i, j int) bool { return l[i].at.Before(l[j].at) }
func (l later) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *later) Push(x any)        { *l = append(*l, x.(waiting)) }
func (l *later) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}
