package rules

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// censusFor is how long a count of a project's promotions is trusted. Another replica may create some meanwhile: the quota may be passed
// by as many, and two promotions could be given one campaign id with a chance of one in millions.
const censusFor = time.Minute

// censusPage is how many heads are read at once.
const censusPage = 1000

// census is what the promotions of one project look like from far: how many there are and which campaign ids are taken. It belongs to the
// turn of its project.
type census struct {
	at        time.Time
	active    int // not retired
	campaigns map[int32]bool
}

// counted returns the project's census, counting anew when there is none or it is old. The caller has the project's turn.
func (s *Service) counted(ctx context.Context, project string) (*census, error) {
	s.mu.Lock()
	known := s.census[project]
	s.mu.Unlock()
	if known != nil && s.now().Sub(known.at) < censusFor {
		return known, nil
	}
	fresh := &census{at: s.now(), campaigns: make(map[int32]bool)}
	for after := ""; ; {
		heads, err := s.repo.Heads(ctx, project, after, censusPage)
		if err != nil {
			return nil, err
		}
		for i := range heads {
			fresh.campaigns[heads[i].CampaignID] = true
			if !heads[i].Retired {
				fresh.active++
			}
		}
		if len(heads) < censusPage {
			break
		}
		after = heads[len(heads)-1].ID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.census) >= maxFrames {
		clear(s.census) // a count lost is a count made again
	}
	s.census[project] = fresh
	return fresh, nil
}

// room says ErrQuota when the project may not have one more active promotion. The caller has the project's turn.
func (s *Service) room(ctx context.Context, project string) error {
	census, err := s.counted(ctx, project)
	if err == nil && census.active >= s.cfg.MaxPromotions {
		err = fmt.Errorf("%w (%d)", ErrQuota, s.cfg.MaxPromotions)
	}
	return err
}

// recount forgets the census of a project where a promotion was retired or brought back.
func (s *Service) recount(project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.census, project)
}

// created counts a promotion that was just created. The caller has the project's turn.
func (s *Service) created(project string, head *Head) {
	s.mu.Lock()
	known := s.census[project]
	s.mu.Unlock()
	if known != nil {
		known.active++
		known.campaigns[head.CampaignID] = true
	}
}

// unused picks a campaign id of 31 bits that no promotion has. Ids are drawn and not counted up so that two projects, or a project and
// its copy, hardly ever share one.
func (c *census) unused() int32 {
	for {
		if id := 1 + rand.Int32N(math.MaxInt32); !c.campaigns[id] {
			return id
		}
	}
}
