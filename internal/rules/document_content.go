package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// commonSchemes are what a URL of a promotion may begin with in every project.
func commonSchemes() []string { return []string{"https", "http", "mailto", "tel", "action"} }

// forbiddenSchemes can run code or read local data in the app that opens them; no project may declare them.
func forbiddenSchemes() []string {
	return []string{"javascript", "vbscript", "data", "file", "blob", "about", "content", "jar", "filesystem", "view-source"}
}

const (
	actionOpenURL = "openUrl"
	maxURLBytes   = 4096
	maxLabelBytes = 1024 // of ids, titles and labels of the content's parts
	maxTitleBytes = 1024
)

func (d *document) content(c *Content) {
	if strings.TrimSpace(c.Title) == "" {
		d.fault("content.title", codeMissing, "give the message a title")
	} else if len(c.Title) > maxTitleBytes {
		d.fault("content.title", codeTooLong, "a title has at most %d bytes", maxTitleBytes)
	}
	payload := bytes.TrimSpace(c.Payload)
	if len(payload) > 0 && (payload[0] != '{' || !json.Valid(payload)) {
		d.fault("content.payload", codeMalformed, "a payload is a JSON object")
	} else if size, ok := sizeJSON(c); ok && size > MaxContentBytes {
		d.fault("content", codeTooLarge, "content has at most %d bytes as JSON, this has %d", MaxContentBytes, size)
	}
	if c.MediaURL != "" {
		d.url("content.mediaUrl", c.MediaURL)
	}
	d.action("content.defaultAction", c.DefaultAction)
	d.buttons(c.Buttons)
	d.texts(c.Text)
}

func (d *document) buttons(buttons []Button) {
	if len(buttons) > MaxButtons {
		d.fault("content.buttons", codeTooMany, "a message has at most %d buttons", MaxButtons)
		return
	}
	ids := make([]string, 0, len(buttons))
	for i, button := range buttons {
		field := fmt.Sprintf("content.buttons[%d]", i)
		ids = append(ids, button.ID)
		d.action(field+".action", button.Action)
		if len(button.Title) > maxLabelBytes {
			d.fault(field+".title", codeTooLong, "a button's title has at most %d bytes", maxLabelBytes)
		}
	}
	d.ids("content.buttons", ids)
}

func (d *document) texts(texts []Text) {
	if len(texts) > MaxTexts {
		d.fault("content.text", codeTooMany, "a message has at most %d text elements", MaxTexts)
		return
	}
	ids := make([]string, 0, len(texts))
	for _, text := range texts {
		ids = append(ids, text.ID)
	}
	d.ids("content.text", ids)
}

// ids checks that the parts of a list can be told apart: an app finds them by id.
func (d *document) ids(list string, ids []string) {
	for i, id := range ids {
		field := fmt.Sprintf("%s[%d].id", list, i)
		switch {
		case id == "":
			d.fault(field, codeMissing, "give it an id")
		case len(id) > maxLabelBytes:
			d.fault(field, codeTooLong, "an id has at most %d bytes", maxLabelBytes)
		case slices.Index(ids, id) < i:
			d.fault(field, codeDuplicate, "the id stands twice")
		}
	}
}

func (d *document) action(field string, a *Action) {
	if a == nil {
		return
	}
	switch {
	case a.Type == actionOpenURL:
		d.url(field+".data", a.Data)
	case a.Type == "":
		d.fault(field+".type", codeMissing, "an action is of type %q, or begins with action:// or a scheme that the project declares",
			actionOpenURL)
	default:
		// An action that the app itself handles is written as a URL in the type.
		d.url(field+".type", a.Type)
	}
}

// url refuses what an app must not open: other schemes, and texts that parsers disagree on.
func (d *document) url(field, text string) {
	allowed := append(commonSchemes(), d.frame.settings.URLSchemes...)
	parsed, err := url.Parse(text)
	switch {
	case len(text) > maxURLBytes:
		d.fault(field, codeTooLong, "a URL has at most %d bytes", maxURLBytes)
	case err != nil || strings.ContainsAny(text, " \\\"<>`"):
		d.fault(field, codeMalformed, "this is not a URL")
	case parsed.Scheme == "" || !slices.Contains(allowed, strings.ToLower(parsed.Scheme)):
		d.fault(field, codeURL, "a URL begins with one of %s; further ones are declared in the project's settings", strings.Join(allowed, ", "))
	case strings.HasPrefix(strings.ToLower(parsed.Scheme), "http") && parsed.Host == "":
		d.fault(field, codeMalformed, "this URL names no host")
	}
}
