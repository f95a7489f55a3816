package rules

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// MatchAny as the expected generation demands that the promotion exists, at whichever generation; "" demands nothing.
const MatchAny = "*"

// SaveDraft stores p as the promotion's draft: under the next revision number when there is none, else over the one there is. A document
// equal to the draft, or to the published revision while there is no draft, changes nothing. A draft may be incomplete (Check says what is
// missing) but not oversized: InvalidError. ifMatch is the generation that the author saw: ErrPrecondition when it is no longer that. The
// campaign id is assigned with the first draft and stays. ErrQuota.
func (s *Service) SaveDraft(ctx context.Context, a Actor, project string, p Promotion, ifMatch string) (Applied, error) {
	p = canonical(p)
	if err := storable(&p); err != nil {
		return Applied{}, err
	}
	return s.change(ctx, a, project, func(*frame) (*Commit, error) {
		head, err := s.repo.Head(ctx, project, p.ID)
		switch {
		case errors.Is(err, ErrNotFound):
			return s.firstDraft(ctx, a, project, p, ifMatch)
		case err != nil:
			return nil, err
		}
		return s.nextDraft(ctx, a, project, head, p, ifMatch)
	})
}

// storable refuses what must not even be kept as a draft.
func storable(p *Promotion) error {
	size, ok := sizeJSON(p.Content)
	switch {
	case !ValidPromotionID(p.ID):
		return refused("id", codeMalformed, "an id is 1 to %d characters of a-z, 0-9 and -, and does not begin with -", MaxPromotionIDBytes)
	case utf8.RuneCountInString(p.Name) > MaxNameRunes:
		return refused("name", codeTooLong, "a name has at most %d characters", MaxNameRunes)
	case len(p.Rule) > maxRuleBytes:
		return refused(fieldRule, codeTooLong, "a rule has at most %d bytes", maxRuleBytes)
	case !ok:
		return refused("content.payload", codeMalformed, "a payload is a JSON object")
	case size > MaxContentBytes:
		return refused("content", codeTooLarge, "content has at most %d bytes as JSON, this has %d", MaxContentBytes, size)
	case p.CampaignID < 0:
		return refused("campaignId", codeOutOfRange, "a campaign id is positive; leave it out to have one assigned")
	case len(p.Placements) > MaxTargets || len(p.Channels) > MaxTargets:
		return refused("placements", codeTooMany, "a promotion has at most %d placements", MaxTargets)
	case p.Holdout != nil && len(p.Holdout.Salt) > MaxSaltBytes:
		return refused("holdout.salt", codeTooLong, "a salt has at most %d bytes", MaxSaltBytes)
	}
	return nil
}

func refused(field, code, format string, args ...any) error {
	return &InvalidError{Issues: []Issue{{Severity: SeverityError, Field: field, Code: code, Message: fmt.Sprintf(format, args...)}}}
}

func (s *Service) firstDraft(ctx context.Context, a Actor, project string, p Promotion, ifMatch string) (*Commit, error) {
	if ifMatch != "" {
		return nil, ErrPrecondition
	}
	if err := s.room(ctx, project); err != nil {
		return nil, err
	}
	census, err := s.counted(ctx, project)
	if err != nil {
		return nil, err
	}
	if p.CampaignID == 0 {
		p.CampaignID = census.unused()
	}
	head := s.moved(Head{ID: p.ID, CampaignID: p.CampaignID, Draft: 1, Last: 1}, a)
	return &Commit{Head: head, Revision: s.revision(p, 1, a), Audit: entry(a, project, "promotion.draft", p.ID, nil, p)}, nil
}

func (s *Service) nextDraft(ctx context.Context, a Actor, project string, head *Head, p Promotion, ifMatch string) (*Commit, error) {
	if !agrees(ifMatch, head) {
		return nil, ErrPrecondition
	}
	if p.CampaignID != 0 && p.CampaignID != head.CampaignID {
		return nil, refused("campaignId", codeFixed, "the campaign id of this promotion is %d and stays", head.CampaignID)
	}
	p.CampaignID = head.CampaignID
	next := *head
	number := head.Draft
	if number == 0 {
		number = head.Published // 0 when retired
		if number == 0 {
			number = head.Last
		}
	}
	before, err := s.repo.Revision(ctx, project, head.ID, number)
	if err != nil {
		return nil, err
	}
	inUse := head.Draft != 0 || !head.Retired
	if inUse && digest(before.Promotion) == digest(p) {
		return nil, nil
	}
	if head.Draft == 0 {
		next.Last++
		next.Draft = next.Last
	}
	return &Commit{
		Head: s.moved(next, a), Revision: s.revision(p, next.Draft, a),
		Audit: entry(a, project, "promotion.draft", p.ID, before.Promotion, p),
	}, nil
}

// agrees reports whether the author saw this generation.
func agrees(ifMatch string, head *Head) bool {
	return ifMatch == "" || ifMatch == MatchAny || ifMatch == strconv.FormatUint(head.Generation, 10)
}

// moved is head one generation on, by the actor.
func (s *Service) moved(head Head, a Actor) *Head {
	head.Generation++
	head.UpdatedAt, head.UpdatedBy = s.now(), a.ID
	return &head
}

func (s *Service) revision(p Promotion, number int, a Actor) *Revision {
	return &Revision{Promotion: p, Number: number, CreatedAt: s.now(), CreatedBy: a.ID}
}

// Check says everything about p as a promotion of the project: see the function of the same name; and what a sample of the stored users has
// to say, when one can be had at once. ErrNotFound for an unknown project.
func (s *Service) Check(ctx context.Context, project string, p *Promotion) ([]Issue, error) {
	f, err := s.frame(ctx, project)
	if err != nil {
		return nil, err
	}
	return append(f.check(p, s.cfg.Retention), s.fromData(ctx, f, p.Rule)...), nil
}

// CheckRule says everything about a rule's text alone.
func (s *Service) CheckRule(ctx context.Context, project, rule string) ([]Issue, error) {
	f, err := s.frame(ctx, project)
	if err != nil {
		return nil, err
	}
	d := &document{frame: f, retention: s.cfg.Retention, issues: []Issue{}}
	d.rule(rule)
	return append(d.issues, s.fromData(ctx, f, rule)...), nil
}

// fromData is what the stored users have to say about a rule, nothing when it does not check.
func (s *Service) fromData(ctx context.Context, f *frame, rule string) []Issue {
	a, _ := s.assess(f, rule)
	if a == nil {
		return nil
	}
	if found := s.sampled(ctx, f, waitToCheck); found != nil {
		return a.fromData(found)
	}
	return nil
}
