package access

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"
)

// TicketLife is how long a ticket may be used after it was given out.
const TicketLife = time.Minute

// ErrTicket is returned for a ticket that is not ours, is too old, was used, or whose key is no longer in force.
var ErrTicket = errors.New("the token is not known, is older than a minute, or was used")

// Ticket lets a browser open one connection for a user where it cannot send headers.
type Ticket struct {
	User     string `json:"u"`
	Question []byte `json:"q,omitempty"` // what the connection asks for, as its maker wrote it
}

// Tickets gives tickets out and takes them. Any replica with the same secret key takes what another gave; that a ticket is used once is seen to by each replica
// for itself. Safe for concurrent use.
type Tickets struct {
	sealer *Sealer
	keys   interface {
		ByID(id string) (*Entry, bool)
	}

	mu     sync.Mutex
	used   map[string]struct{} // guarded by mu: nonces of this and of the last TicketLife, since turned
	before map[string]struct{}
	turned time.Time
}

// NewTickets makes a box office that seals under the installation's secret key.
func NewTickets(sealer *Sealer, keys interface {
	ByID(id string) (*Entry, bool)
},
) *Tickets {
	return &Tickets{sealer: sealer, keys: keys, used: make(map[string]struct{}), before: make(map[string]struct{})}
}

// maxUsed bounds the memory of used tickets. Beyond it none is taken: refusing is safe, forgetting is not.
const maxUsed = 1 << 18

type sealedTicket struct {
	Ticket
	Until int64  `json:"t"` // wall milliseconds
	Nonce string `json:"n"`
}

// ticketOwner keeps a ticket from being taken for another sealed secret of the same key.
const ticketOwner = "ticket:"

// Issue seals a ticket for the bearer of the key.
func (t *Tickets) Issue(e *Entry, ticket Ticket, now time.Time) string {
	plain, err := json.Marshal(sealedTicket{Ticket: ticket, Until: now.Add(TicketLife).UnixMilli(), Nonce: rand.Text()})
	if err != nil {
		panic(err) // strings and integers encode
	}
	return e.ID + "." + base64.RawURLEncoding.EncodeToString(t.sealer.Seal(plain, e.Project, ticketOwner+e.ID))
}

// Take opens a ticket, once; ErrTicket.
func (t *Tickets) Take(text string, now time.Time) (*Entry, Ticket, error) {
	id, body, found := strings.Cut(text, ".")
	e, inForce := t.keys.ByID(id)
	if !found || !inForce {
		return nil, Ticket{}, ErrTicket
	}
	sealed, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil, Ticket{}, ErrTicket
	}
	plain, err := t.sealer.Open(sealed, e.Project, ticketOwner+e.ID)
	if err != nil {
		return nil, Ticket{}, ErrTicket
	}
	var ticket sealedTicket
	if err := json.Unmarshal(plain, &ticket); err != nil {
		return nil, Ticket{}, ErrTicket
	}
	if until := time.UnixMilli(ticket.Until); now.After(until) || !t.first(ticket.Nonce, now) {
		return nil, Ticket{}, ErrTicket
	}
	return e, ticket.Ticket, nil
}

// first notes the nonce and reports whether it is new.
func (t *Tickets) first(nonce string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.turned) > TicketLife {
		t.before, t.used, t.turned = t.used, make(map[string]struct{}), now
	}
	if _, seen := t.used[nonce]; seen || len(t.used) >= maxUsed {
		return false
	}
	if _, seen := t.before[nonce]; seen {
		return false
	}
	t.used[nonce] = struct{}{}
	return true
}
