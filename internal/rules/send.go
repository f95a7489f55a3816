package rules

// Send is what a promotion asks of a campaign send beside its rule: nothing of it touches what an app shows. Project settings of the same name hold as well,
// unless it says otherwise.
type Send struct {
	Exclude         string           `json:"exclude,omitempty"`   // a rule: who fits is not sent the promotion, nor is anybody of whom it cannot be told
	SendLimit       int64            `json:"sendLimit,omitempty"` // at most so many sends of the promotion in all; granted to reservations only
	Caps            []SendCap        `json:"caps,omitempty"`      // on sends of this promotion to one user
	QuietHours      *QuietHours      `json:"quietHours,omitempty"`
	AfterConversion *AfterConversion `json:"afterConversion,omitempty"`
	MessageType     *MessageType     `json:"messageType,omitempty"`
	WhatsApp        *WhatsAppSend    `json:"whatsapp,omitempty"`
}

// SendCap withholds a message from a user who was sent Sends of them in the window (now-Per, now]. It counts the confirmed sends of a project, or of one
// promotion, wherever it stands.
type SendCap struct {
	Channel string   `json:"channel,omitempty"` // counted and capped; absent: all but embedded together
	Sends   int64    `json:"sends"`
	Per     Duration `json:"per"`
}

// QuietHours are hours of the user's own day in which nothing is sent: From, inclusive, until To, exclusive, on the clock of the zone in the user's profile, or the
// project's when there is none. From later than To goes over midnight.
type QuietHours struct {
	Off      bool     `json:"off,omitempty"` // of a promotion: the project's do not hold
	From     string   `json:"from,omitempty"`
	To       string   `json:"to,omitempty"`
	Channels []string `json:"channels,omitempty"` // absent: all but embedded
}

// AfterConversion withholds messages for a while after the user did what they ask for.
type AfterConversion struct {
	Event string   `json:"event"` // a declared event type
	For   Duration `json:"for"`
}

// MessageType is what users subscribe to and unsubscribe from.
type MessageType struct {
	ID    int64 `json:"id"`
	OptIn bool  `json:"optIn,omitempty"` // only who is in subscribedMessageTypeIds; else everybody who is not in unsubscribedMessageTypeIds
}

// WhatsAppSend says which kind of message goes out by WhatsApp.
type WhatsAppSend struct {
	Category string `json:"category"` // of the template: marketing, utility or authentication; service is free text, inside the service window only
}

// Categories of a WhatsApp message.
const (
	CategoryMarketing      = "marketing"
	CategoryUtility        = "utility"
	CategoryAuthentication = "authentication"
	CategoryService        = "service"
)

// SendSettings is what a project asks of every campaign send.
type SendSettings struct {
	Subscriptions   []Subscription    `json:"subscriptions,omitempty"`
	PushDevice      bool              `json:"pushDevice,omitempty"` // a push needs a registered device token that is not disabled
	AfterConversion *AfterConversion  `json:"afterConversion,omitempty"`
	WhatsApp        *WhatsAppSettings `json:"whatsapp,omitempty"`
}

// Subscription binds a channel to the message channel that users unsubscribe from by its number.
type Subscription struct {
	Channel   string `json:"channel"`
	ChannelID int64  `json:"channelId"`
}

// WhatsAppSettings are the rules of WhatsApp. With them, a promotion that names no category is free text.
type WhatsAppSettings struct {
	InboundEvent   string          `json:"inboundEvent,omitempty"` // the user wrote to us: free text for 24 hours; absent: whatsapp_inbound
	EntryEvent     string          `json:"entryEvent,omitempty"`   // the user came by an ad: free text for 72 hours
	MarketingBlock *MarketingBlock `json:"marketingBlock,omitempty"`
}

// MarketingBlock says to whom the network does not deliver marketing templates: whose country or telephone number is one of these.
type MarketingBlock struct {
	CountryAttribute string   `json:"countryAttribute,omitempty"` // a string of the profile
	Countries        []string `json:"countries,omitempty"`        // absent: US
	PhoneAttribute   string   `json:"phoneAttribute,omitempty"`   // a string of the profile, as +1 555 0100
	PhonePrefixes    []string `json:"phonePrefixes,omitempty"`    // absent: +1
}
