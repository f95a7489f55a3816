package rules

import "encoding/json"

// message is the form in which the decision plane answers one message.
type message struct {
	MessageID string  `json:"messageId"`
	Promotion string  `json:"promotion"`
	Revision  int     `json:"revision"`
	Priority  int32   `json:"priority"`
	Content   Content `json:"content"`
}

// newCandidate renders the message once, so that a decision only copies bytes.
func newCandidate(c *Compiled, target PlacementTarget) Candidate {
	id := MessageID(c.ID, target.Placement)
	fragment, err := json.Marshal(message{MessageID: id, Promotion: c.ID, Revision: c.Revision, Priority: target.Priority, Content: c.Content})
	if err != nil {
		fragment = nil // Content was checked when it was published; a payload that is no JSON cannot be here
	}
	return Candidate{Promotion: c, Priority: target.Priority, MessageID: id, Fragment: fragment}
}
