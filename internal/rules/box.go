package rules

import (
	"strings"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// boxes keeps values boxed for the interpreter from one user to the next: what users have is much the same, and to box it anew each time would be the only thing
// that a decision allocates. What falls into the same place drives the other out.
type boxes struct {
	texts []ref.Val           // by hash; nil or a types.String
	ints  []ref.Val           // by value
	lists map[listKey]listBox // of attributes, by slot and length
}

const (
	boxedTexts = 1024
	boxedInts  = 256
	// longText is beyond what is worth keeping; longList likewise, which also bounds lists to so many for each slot.
	longText = 64
	longList = 32
)

type listKey struct{ slot, length int }

// listBox is a list and the array that it reads: a user's list of the same length is written over the one before, which nothing refers to any more.
type listBox struct {
	elems []ref.Val
	list  ref.Val
}

func (b *boxes) text(text string) ref.Val {
	if len(text) > longText {
		return types.String(text)
	}
	if b.texts == nil {
		b.texts = make([]ref.Val, boxedTexts)
	}
	at := &b.texts[textHash(text)%boxedTexts]
	if kept, ok := (*at).(types.String); ok && string(kept) == text {
		return *at
	}
	*at = types.String(strings.Clone(text)) // not a part of a whole snapshot's text
	return *at
}

func (b *boxes) integer(n int64) ref.Val {
	if b.ints == nil {
		b.ints = make([]ref.Val, boxedInts)
	}
	at := &b.ints[uint64(n)%boxedInts]
	if kept, ok := (*at).(types.Int); ok && int64(kept) == n {
		return *at
	}
	*at = types.Int(n)
	return *at
}

// attribute is boxAttribute with what is kept.
func (b *boxes) attribute(s *profile.Snapshot, slot int, typ profile.Type) ref.Val {
	switch {
	case typ.Shape == profile.List:
		return b.list(s.Values(slot), slot, typ.Kind)
	case typ.Shape != profile.Scalar:
	case typ.Kind == profile.String:
		return b.text(s.String(slot))
	case typ.Kind == profile.Int:
		return b.integer(s.Int(slot))
	}
	return boxAttribute(s, slot, typ)
}

func (b *boxes) list(values profile.Values, slot int, kind profile.Kind) ref.Val {
	n := values.Len()
	key := listKey{slot, n}
	box, ok := b.lists[key]
	if !ok {
		box.elems = make([]ref.Val, n)
		box.list = types.NewRefValList(types.DefaultTypeAdapter, box.elems)
		if n <= longList {
			if b.lists == nil {
				b.lists = make(map[listKey]listBox)
			}
			b.lists[key] = box
		}
	}
	for i := range box.elems {
		switch kind {
		case profile.String:
			box.elems[i] = b.text(values.String(i))
		case profile.Int:
			box.elems[i] = b.integer(values.Int(i))
		default:
			box.elems[i] = boxElement(values, i, kind)
		}
	}
	return box.list
}
