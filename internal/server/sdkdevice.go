package server

import (
	"encoding/json"
	"slices"

	"eligibility/internal/problem"
	"eligibility/internal/profile"

	"github.com/valyala/fasthttp"
)

// fieldDevices is where a user's device tokens are kept: a list of device, newest first. A push sender reads it with the user; rules
// cannot.
const fieldDevices = profile.AttributeDevices

// Limits of device tokens.
const (
	maxDevices     = 20
	maxTokenBytes  = 4096
	maxDeviceBytes = 256 // of the other fields
)

type device struct {
	Token       string `json:"token"`
	Platform    string `json:"platform,omitempty"`
	Application string `json:"applicationName,omitempty"`
	Enabled     bool   `json:"endpointEnabled"`
}

// sdkDevice answers POST /api/users/registerDeviceToken and disableDevice. Disabling needs no user token: who knows a device's token may
// silence the device.
func (s *Server) sdkDevice(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body struct {
		who
		Token  string  `json:"token"`
		Device *device `json:"device"`
	}
	rs, p := s.sdkRead(ctx, st, &body)
	if p != nil {
		return p
	}
	enable := st.call.id == sdkRegisterDevice
	d := device{Token: body.Token}
	if enable && body.Device != nil {
		d = *body.Device
	}
	d.Enabled = enable
	if d.Token == "" || len(d.Token) > maxTokenBytes || len(d.Platform) > maxDeviceBytes || len(d.Application) > maxDeviceBytes {
		return problem.New("invalid_value", "a device has a token of at most %d bytes", maxTokenBytes).At("token")
	}
	t, p := s.addressee(st, body.who)
	if p != nil {
		return p
	}
	var devices []device
	if t.user != "" {
		record, p := s.record(st.caller.project(), t.user, 0)
		if p != nil {
			return p
		}
		_ = json.Unmarshal(record.Attributes[fieldDevices], &devices) // what else stands there is replaced
	}
	at := slices.IndexFunc(devices, func(old device) bool { return old.Token == d.Token })
	switch {
	case at < 0 && !enable:
		return sdkBody(ctx, sdkSuccess) // nothing to disable
	case at >= 0 && enable:
		devices = slices.Delete(devices, at, at+1)
		fallthrough
	case enable:
		devices = slices.Insert(devices, 0, d)
		devices = devices[:min(len(devices), maxDevices)]
	default:
		devices[at].Enabled = false
	}
	raw, p := s.encode(devices)
	if p != nil {
		return p
	}
	check := checker{schema: rs.Schema} // which is not asked: the field is of our own making
	user, p := s.ensure(st, t, profile.Update{Attributes: map[string]json.RawMessage{fieldDevices: raw}}, &check)
	if p != nil {
		return p
	}
	if enable {
		s.watchDevice(st, rs, user, d.Platform)
	}
	return sdkBody(ctx, sdkSuccess)
}
