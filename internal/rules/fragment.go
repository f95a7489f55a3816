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

// rendered is the message of a promotion in one placement.
type rendered struct {
	id       string
	fragment []byte
}

// render makes the messages of all placements once, so that a decision only copies bytes and the next ruleset takes them over.
func (c *Compiled) render() {
	c.messages = make([]rendered, len(c.Placements))
	for i, target := range c.Placements {
		id := MessageID(c.ID, target.Placement)
		fragment, err := json.Marshal(message{MessageID: id, Promotion: c.ID, Revision: c.Revision, Priority: target.Priority, Content: c.Content})
		if err != nil {
			fragment = nil // Content was checked when it was published; a payload that is no JSON cannot be here
		}
		c.messages[i] = rendered{id: id, fragment: fragment}
	}
}

// candidate is the promotion in its placement at index i.
func (c *Compiled) candidate(i int) Candidate {
	return Candidate{Promotion: c, Priority: c.Placements[i].Priority, MessageID: c.messages[i].id, Fragment: c.messages[i].fragment}
}
