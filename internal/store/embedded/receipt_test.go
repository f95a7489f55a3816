package embedded

import (
	"context"
	"errors"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/rules"
)

// TestReceiptsExpire: after their life a key may be used again, and the sweep frees the room of what nobody used again.
func TestReceiptsExpire(t *testing.T) {
	s := openStore(t, memory(t))
	shop(t, s)
	ctx := context.Background()
	long := hlc.FromTime(time.Now().Add(-rules.ReceiptLife - time.Minute))
	for _, key := range []string{"used again", "forgotten"} {
		c := s.newCommit()
		if err := c.setJSON(namedKey(tableReceipt, "shop", key), rules.Receipt{Key: key, Request: "old", At: long}); err != nil {
			t.Fatal(err)
		}
		if err := s.beginWrite(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := s.commit(c); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Receipt(ctx, "shop", key); !errors.Is(err, rules.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", key, err)
		}
	}
	for _, key := range []string{"used again", "new"} {
		if _, err := s.Commit(ctx, &rules.Commit{Project: "shop", Receipt: &rules.Receipt{Key: key, Request: "new"}}); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	if err := s.sweepReceipts(); err != nil {
		t.Fatal(err)
	}
	var left []string
	if err := scan(s.db, []byte{tableReceipt}, []byte{tableReceipt + 1}, func(key, _ []byte) (bool, error) {
		_, rest, err := cutText(key[1:])
		if err != nil {
			return false, err
		}
		name, _, err := cutText(rest)
		left = append(left, string(name))
		return true, err
	}); err != nil {
		t.Fatal(err)
	}
	if len(left) != 2 || left[0] != "new" || left[1] != "used again" {
		t.Errorf("after the sweep there are %q", left)
	}
}
