package pushhook

import "time"

// DeadLetter is a message that was given up.
type DeadLetter struct {
	DeliveryID string    `json:"deliveryId"`
	UserID     string    `json:"userId"`
	At         time.Time `json:"at"` // when the user's answer was seen to be another one
	GivenUpAt  time.Time `json:"givenUpAt"`
	Attempts   int       `json:"attempts"`
	Reason     string    `json:"reason"`           // one of the Reason constants
	Status     int       `json:"status,omitempty"` // of the last answer, if there was one
}

// ring keeps the latest dead letters of one project.
type ring struct {
	letters []DeadLetter
	next    int // place of the next one, once letters is full
}

func (r *ring) add(d DeadLetter, most int) {
	if len(r.letters) < most {
		r.letters = append(r.letters, d)
		return
	}
	r.letters[r.next] = d
	r.next = (r.next + 1) % most
}

// latest lists them, the latest first.
func (r *ring) latest() []DeadLetter {
	all := make([]DeadLetter, 0, len(r.letters))
	for i := range r.letters {
		all = append(all, r.letters[(r.next+len(r.letters)-1-i)%len(r.letters)])
	}
	return all
}
