package server

import (
	"eligibility/internal/problem"
	"eligibility/internal/profile"
)

// failedUpdates lists users by what was wrong with their items.
type failedUpdates struct {
	InvalidEmails      []string `json:"invalidEmails"`
	InvalidUserIDs     []string `json:"invalidUserIds"`
	NotFoundEmails     []string `json:"notFoundEmails"`
	NotFoundUserIDs    []string `json:"notFoundUserIds"`
	ForgottenEmails    []string `json:"forgottenEmails"`
	ForgottenUserIDs   []string `json:"forgottenUserIds"`
	ConflictEmails     []string `json:"conflictEmails"`
	ConflictUserIDs    []string `json:"conflictUserIds"`
	InvalidDataEmails  []string `json:"invalidDataEmails"`
	InvalidDataUserIDs []string `json:"invalidDataUserIds"`
}

// bulkResult is what became of a list.
type bulkResult struct {
	succeeded, failed int
	updates           failedUpdates
	names             []string // of events that may not be tracked
	created           []string // fields that were declared
}

// note counts an item, which may still be refused by the store.
func (r *bulkResult) note(w who, p *problem.Problem) {
	r.succeeded++
	if p != nil {
		r.refuse(w, p.Code)
	}
}

func (r *bulkResult) refuse(w who, code string) {
	r.succeeded, r.failed = r.succeeded-1, r.failed+1
	u := &r.updates
	emails, ids := &u.InvalidDataEmails, &u.InvalidDataUserIDs
	switch code {
	case "invalid_email":
		u.InvalidEmails = append(u.InvalidEmails, short(w.Email)) // which is no address: repeated in part
		return
	case "invalid_user_id":
		u.InvalidUserIDs = append(u.InvalidUserIDs, short(w.UserID))
		return
	case "email_taken":
		emails, ids = &u.ConflictEmails, &u.ConflictUserIDs
	}
	switch {
	case w.UserID != "":
		*ids = append(*ids, echo(w.UserID))
	case w.Email != "":
		*emails = append(*emails, echo(w.Email))
	}
}

// echo repeats what can name a user whole, so that who sent it finds it again, and of anything longer a part.
func echo(name string) string {
	if len(name) <= profile.MaxUserIDBytes {
		return name
	}
	return short(name)
}

func (r *bulkResult) disallowed(name string) { r.names = append(r.names, short(name)) }

// bulkAnswer is what clients read. Every list is there.
type bulkAnswer struct {
	SuccessCount      int           `json:"successCount"`
	FailCount         int           `json:"failCount"`
	CreatedFields     []string      `json:"createdFields"`
	FilteredOutFields []string      `json:"filteredOutFields"`
	FailedUpdates     failedUpdates `json:"failedUpdates"`
	InvalidEmails     []string      `json:"invalidEmails"`
	InvalidUserIDs    []string      `json:"invalidUserIds"`
	DisallowedNames   []string      `json:"disallowedEventNames,omitzero"`
}

// subscriptionsAnswer is the same for subscriptions.
type subscriptionsAnswer struct {
	SuccessCount        int      `json:"successCount"`
	FailCount           int      `json:"failCount"`
	InvalidEmails       []string `json:"invalidEmails"`
	InvalidUserIDs      []string `json:"invalidUserIds"`
	ValidEmailFailures  []string `json:"validEmailFailures"`
	ValidUserIDFailures []string `json:"validUserIdFailures"`
}

func (r *bulkResult) answer(id sdkID) any {
	u := &r.updates
	for _, list := range []*[]string{
		&u.InvalidEmails, &u.InvalidUserIDs, &u.NotFoundEmails, &u.NotFoundUserIDs, &u.ForgottenEmails, &u.ForgottenUserIDs,
		&u.ConflictEmails, &u.ConflictUserIDs, &u.InvalidDataEmails, &u.InvalidDataUserIDs, &r.names, &r.created,
	} {
		if *list == nil {
			*list = []string{}
		}
	}
	if id == sdkBulkSubscriptions {
		return subscriptionsAnswer{
			SuccessCount: r.succeeded, FailCount: r.failed, InvalidEmails: u.InvalidEmails, InvalidUserIDs: u.InvalidUserIDs,
			ValidEmailFailures:  append(u.ConflictEmails, u.InvalidDataEmails...),
			ValidUserIDFailures: append(u.ConflictUserIDs, u.InvalidDataUserIDs...),
		}
	}
	a := bulkAnswer{
		SuccessCount: r.succeeded, FailCount: r.failed, CreatedFields: r.created, FilteredOutFields: []string{}, FailedUpdates: *u,
		InvalidEmails: u.InvalidEmails, InvalidUserIDs: u.InvalidUserIDs,
	}
	if id == sdkBulkEvents {
		a.DisallowedNames = r.names
	}
	return a
}
