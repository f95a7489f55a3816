package access

import (
	"testing"
	"time"
)

func TestAHookIsNoKey(t *testing.T) {
	hook := NewHook("shop")
	if other := NewHook("shop"); hook.Hash == other.Hash || hook.Hash == [32]byte{} {
		t.Error("the hash of a hook is one that somebody knows")
	}
	sealer := newSealer(t, 1)
	hook.URL = "https://push.example.com"
	for _, secret := range []string{"new", "old"} {
		hook.Secrets = append(hook.Secrets, sealer.Seal([]byte(secret), "shop", HookID))
	}
	unsealed := NewHook("bank")
	unsealed.Secrets = [][]byte{sealer.Seal([]byte("moved"), "shop", HookID)} // sealed for another project
	gone := NewHook("gone")
	gone.Secrets = [][]byte{sealer.Seal([]byte("x"), "gone", HookID)}
	gone.RevokedAt = &time.Time{}
	k := newRing(t, &shelf{listed: []Credential{hook, unsealed, gone}})
	got, ok := k.Hook("shop")
	if !ok || got.Project != "shop" || got.URL != hook.URL || len(got.Secrets) != 2 || string(got.Secrets[0]) != "new" || string(got.Secrets[1]) != "old" {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, project := range []string{"bank", "gone", "other"} {
		if h, ok := k.Hook(project); ok {
			t.Errorf("%s has %+v in force", project, h)
		}
	}
	if _, ok := k.ByID(HookID); ok || k.Len() != 0 {
		t.Error("a hook is found as a key")
	}
	if n := testing.AllocsPerRun(100, func() { k.Hook("shop") }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
