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

// sdkMessage is the same message as the embedded-messaging SDKs read it.
type sdkMessage struct {
	Metadata sdkMetadata     `json:"metadata"`
	Elements Content         `json:"elements"` // without its payload
	Payload  json.RawMessage `json:"payload,omitempty"`
}

type sdkMetadata struct {
	MessageID     string `json:"messageId"`
	PlacementID   int32  `json:"placementId"`
	CampaignID    int32  `json:"campaignId"`
	IsProof       bool   `json:"isProof"`
	PriorityOrder int32  `json:"priorityOrder"`
}

// rendered is the message of a promotion in one placement, in both forms.
type rendered struct {
	id       string
	fragment string
	sdk      string
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
		c.messages[i] = rendered{id: id, fragment: string(fragment), sdk: c.renderSDK(id, target)}
	}
}

func sdkMessageOf(p *Promotion, id string, target PlacementTarget) sdkMessage {
	m := sdkMessage{Elements: p.Content, Payload: p.Content.Payload, Metadata: sdkMetadata{
		MessageID: id, PlacementID: target.Placement, CampaignID: p.CampaignID, PriorityOrder: target.Priority,
	}}
	m.Elements.Payload = nil
	return m
}

func (c *Compiled) renderSDK(id string, target PlacementTarget) string {
	fragment, err := json.Marshal(sdkMessageOf(c.Promotion, id, target))
	if err != nil {
		return "" // as in render
	}
	return string(fragment)
}

// SDKFragment is the promotion's message in the placement as the embedded-messaging SDKs read it, rendered once:
// {"metadata":{…},"elements":{…},"payload":{…}}. Empty for a placement that the promotion does not target.
func (c *Compiled) SDKFragment(placement int32) string {
	for i := range c.Placements {
		if c.Placements[i].Placement == placement {
			return c.messages[i].sdk
		}
	}
	return ""
}

// candidate is the promotion in its placement at index i.
func (c *Compiled) candidate(i int) Candidate {
	return Candidate{
		Promotion: c, Priority: c.Placements[i].Priority, mark: uint16(c.Rule.mark), Plain: c.plain(),
		MessageID: c.messages[i].id, Fragment: c.messages[i].fragment,
	}
}

func (c *Compiled) plain() bool {
	return !c.Paused && c.Start == 0 && c.End == 0 && (c.Holdout == nil || c.Holdout.Percent <= 0) && c.FrequencyCap == nil
}
