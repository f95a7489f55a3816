package server

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"eligibility/internal/problem"
	"eligibility/internal/profile"

	"github.com/valyala/fasthttp"
)

// Subscriptions are fields of the user: lists of numbers, which a project may declare and its rules then read.
const (
	fieldLists               = "emailListIds"
	fieldChannelsOff         = profile.AttributeChannelsOff
	fieldMessageTypesOff     = profile.AttributeMessageTypesOff
	fieldMessageTypesOn      = profile.AttributeMessageTypesOn
	maxSubscriptions         = 1000
	groupList                = "emailList"
	groupChannel             = "messageChannel"
	groupMessageType         = "messageType"
	membershipPartsAfterPath = 4
)

// sdkSubscriptions is what a user takes. What is given replaces what was; what is absent stays.
type sdkSubscriptionsBody struct {
	who
	Lists           []int64 `json:"emailListIds"`
	ChannelsOff     []int64 `json:"unsubscribedChannelIds"`
	MessageTypesOff []int64 `json:"unsubscribedMessageTypeIds"`
	MessageTypesOn  []int64 `json:"subscribedMessageTypeIds"`
}

func (b *sdkSubscriptionsBody) fields() (map[string]json.RawMessage, *problem.Problem) {
	fields := make(map[string]json.RawMessage)
	for name, list := range map[string][]int64{
		fieldLists: b.Lists, fieldChannelsOff: b.ChannelsOff, fieldMessageTypesOff: b.MessageTypesOff, fieldMessageTypesOn: b.MessageTypesOn,
	} {
		if len(list) > maxSubscriptions {
			return nil, problem.New("too_many", "at most %d items", maxSubscriptions).At(name)
		}
		if list != nil {
			fields[name], _ = json.Marshal(list) // cannot fail: integers
		}
	}
	return fields, nil
}

// sdkSubscribe answers POST /api/users/updateSubscriptions.
func (s *Server) sdkSubscribe(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body sdkSubscriptionsBody
	rs, p := s.sdkRead(ctx, st, &body)
	if p != nil {
		return p
	}
	fields, p := body.fields()
	if p != nil {
		return p
	}
	t, p := s.addressee(st, body.who)
	if p != nil {
		return p
	}
	return s.sdkWrite(ctx, st, rs.Schema, t, fields, false)
}

// sdkMembership answers PATCH and DELETE /api/subscriptions/{group}/{id}/user/{email} and …/byUserId/{userId}: one subscription of one
// user, on or off.
func (s *Server) sdkMembership(ctx *fasthttp.RequestCtx, st *state, path []byte) *problem.Problem {
	rs := s.deps.Rulesets.Load(st.caller.project())
	if rs == nil {
		return noRuleset()
	}
	parts := bytes.SplitN(path[len(sdkMemberPrefix):], []byte("/"), membershipPartsAfterPath)
	id, err := strconv.ParseInt(string(parts[1]), 10, 32)
	if err != nil {
		return problem.New("invalid_parameter", "a group is known by a number")
	}
	name, p := named(path)
	if p != nil {
		return p
	}
	w := who{UserID: name}
	if string(parts[2]) == "user" {
		w = who{Email: name}
	}
	t, p := s.addressee(st, w)
	switch {
	case p != nil:
		return p
	case t.user == "":
		return unknownEmail()
	}
	record, p := s.record(st.caller.project(), t.user, 0)
	if p != nil {
		return p
	}
	on := string(ctx.Method()) == fasthttp.MethodPatch
	fields := make(map[string]json.RawMessage)
	switch string(parts[0]) {
	case groupList:
		set(fields, record, fieldLists, id, on)
	case groupChannel:
		set(fields, record, fieldChannelsOff, id, !on)
	case groupMessageType:
		set(fields, record, fieldMessageTypesOff, id, !on)
		set(fields, record, fieldMessageTypesOn, id, on)
	default:
		return problem.New("invalid_parameter", "a group is emailList, messageChannel or messageType")
	}
	return s.sdkWrite(ctx, st, rs.Schema, t, fields, false)
}

// set puts id into the list of a field, or takes it out.
func set(fields map[string]json.RawMessage, record *profile.Record, name string, id int64, in bool) {
	var list []int64
	_ = json.Unmarshal(record.Attributes[name], &list) // what else stands there is replaced
	list = slices.DeleteFunc(list, func(other int64) bool { return other == id })
	if in {
		list = append(list, id)
	}
	if list == nil {
		list = []int64{}
	}
	fields[name], _ = json.Marshal(list) // cannot fail: integers
}
