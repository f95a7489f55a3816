package pushhook

import "container/heap"

// queue is a heap of items, the one that is due first in front.
type queue []*item

var _ heap.Interface = (*queue)(nil)

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push appends an item for the heap.
func (q *queue) Push(x any) { *q = append(*q, x.(*item)) }

// Pop takes off the last item for the heap.
func (q *queue) Pop() any {
	last := len(*q) - 1
	it := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return it
}
