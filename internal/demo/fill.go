package demo

import (
	"context"
	"fmt"
	"sync/atomic"

	"eligibility/internal/demo/shop"
	"eligibility/internal/profile"

	"golang.org/x/sync/errgroup"
)

const (
	fillers    = 2    // goroutines that make up shoppers: one shopper costs about 40 µs of processor time
	batchItems = 1000 // of one store call
)

// fill stores all shoppers and returns how many user events they have.
func fill(ctx context.Context, store profile.Writer, cfg shop.Config) (events int, err error) {
	var next, total atomic.Int64
	work, workCtx := errgroup.WithContext(ctx)
	for range fillers {
		work.Go(func() error {
			generator, err := shop.New(cfg)
			if err != nil {
				return err
			}
			f := filler{store: store, generator: generator}
			for {
				from := int(next.Add(batchItems)) - batchItems
				if from >= cfg.Users {
					break
				}
				if err := f.shoppers(workCtx, from, min(from+batchItems, cfg.Users)); err != nil {
					return err
				}
			}
			total.Add(int64(f.stored))
			return f.flush(workCtx)
		})
	}
	if err := work.Wait(); err != nil {
		return 0, err
	}
	return int(total.Load()), nil
}

// filler stores the shoppers of one goroutine in full batches.
type filler struct {
	store     profile.Writer
	generator *shop.Generator
	updates   []profile.Update
	events    []profile.NewEvent
	stored    int
}

// shoppers stores the shoppers in [from, to): one batch of profiles, and their events as batches fill up.
func (f *filler) shoppers(ctx context.Context, from, to int) error {
	f.updates = f.updates[:0]
	for i := from; i < to; i++ {
		shopper, err := f.generator.Shopper(i)
		if err != nil {
			return err
		}
		update, err := shopper.Profile.Update()
		if err != nil {
			return err
		}
		f.updates = append(f.updates, update)
		for _, e := range shopper.Events {
			if len(f.events) == batchItems {
				if err := f.flush(ctx); err != nil {
					return err
				}
			}
			f.events = append(f.events, profile.NewEvent{
				UserID: e.UserID, ID: e.ID, Name: e.Name, OccurredAt: e.OccurredAt, Properties: e.Properties,
			})
		}
		f.stored += len(shopper.Events)
	}
	_, refused, err := f.store.PutUsers(ctx, Project, f.updates)
	return whole("put users", refused, err)
}

func (f *filler) flush(ctx context.Context) error {
	if len(f.events) == 0 {
		return nil
	}
	_, refused, err := f.store.PutEvents(ctx, Project, f.events)
	f.events = f.events[:0]
	return whole("put events", refused, err)
}

// whole makes a refused item an error: everything that the shop makes up is meant to be accepted.
func whole(what string, refused []profile.ItemError, err error) error {
	if err == nil && len(refused) > 0 {
		err = fmt.Errorf("item %d: %s: %s", refused[0].Index, refused[0].Code, refused[0].Detail)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
