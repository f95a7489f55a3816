package server

import (
	"bytes"
	"net/url"
	"strings"

	"eligibility/internal/access"
	"eligibility/internal/problem"
)

// Apps that use the SDKs of an embedded-messaging product find here what they call there: the same addresses, bodies, envelopes and
// codes, so that pointing them at this server is all that has to be changed. The files named sdk… hold it; docs/sdk.md says what is
// answered how.

// sdkPrefix begins every address of it.
const sdkPrefix = "/api/"

// sdkID names a call.
type sdkID uint8

// The calls.
const (
	sdkMessages sdkID = iota
	sdkReceived
	sdkClick
	sdkDismiss
	sdkSession
	sdkUpdateUser
	sdkUpdateEmail
	sdkMerge
	sdkSubscriptions
	sdkTrack
	sdkPurchase
	sdkCart
	sdkRegisterDevice
	sdkDisableDevice
	sdkBulkUsers
	sdkBulkEvents
	sdkBulkSubscriptions
	sdkUserByEmail
	sdkUserByID
	sdkOneByEmail
	sdkOneByID
	sdkMembership
	sdkAcknowledge // a call of a feature that is not here: it succeeds and does nothing
	sdkNoInApp
	sdkRemoteConfiguration
	sdkUnknownCriteria
)

// sdkCall is one address.
type sdkCall struct {
	id      sdkID
	path    string // {name} stands for a part that varies
	methods string // as the Allow header lists them
	route   Route  // under which it is counted
	client  bool   // client keys may make it
	list    bool   // takes a list
	bare    bool   // takes no user token, as the SDKs send none with it
}

func (c *sdkCall) takes(method []byte) bool {
	for one := range strings.SplitSeq(c.methods, ", ") {
		if one == string(method) {
			return true
		}
	}
	return false
}

func (c *sdkCall) open(kind access.Kind) bool {
	return kind == access.Server || kind == access.Client && c.client
}

const (
	pathMessages     = "/api/embedded-messaging/messages"
	sdkUserPrefix    = "/api/users/"
	sdkUserIDPrefix  = "/api/users/byUserId/"
	sdkMemberPrefix  = "/api/subscriptions/"
	pathOneByEmail   = sdkUserPrefix + "{email}"
	pathOneByID      = sdkUserIDPrefix + "{userId}"
	pathMemberEmail  = sdkMemberPrefix + "{group}/{groupId}/user/{email}"
	pathMemberID     = sdkMemberPrefix + "{group}/{groupId}/byUserId/{userId}"
	pathAcknowledged = "/api/events/"
)

func post(id sdkID, path string, route Route, client bool) sdkCall {
	return sdkCall{id: id, path: path, methods: "POST", route: route, client: client}
}

func postList(id sdkID, path string) sdkCall {
	return sdkCall{id: id, path: path, methods: "POST", route: RouteSDKIngest, list: true}
}

func stub(id sdkID, method, path string) sdkCall {
	return sdkCall{id: id, path: path, methods: method, route: RouteSDKStub, client: true, bare: true}
}

// sdkCalls lists every address. It never changes.
var sdkCalls = []sdkCall{
	{id: sdkMessages, path: pathMessages, methods: "GET", route: RouteSDKSync, client: true},
	post(sdkReceived, "/api/embedded-messaging/events/received", RouteSDKEngagement, true),
	post(sdkClick, "/api/embedded-messaging/events/click", RouteSDKEngagement, true),
	post(sdkDismiss, "/api/embedded-messaging/events/dismiss", RouteSDKEngagement, true),
	post(sdkSession, "/api/embedded-messaging/events/session", RouteSDKEngagement, true),
	post(sdkUpdateUser, "/api/users/update", RouteSDKIngest, true),
	post(sdkUpdateEmail, "/api/users/updateEmail", RouteSDKIngest, true),
	post(sdkMerge, "/api/users/merge", RouteSDKIngest, true),
	post(sdkSubscriptions, "/api/users/updateSubscriptions", RouteSDKIngest, true),
	post(sdkTrack, "/api/events/track", RouteSDKIngest, true),
	post(sdkPurchase, "/api/commerce/trackPurchase", RouteSDKIngest, true),
	post(sdkCart, "/api/commerce/updateCart", RouteSDKIngest, true),
	post(sdkRegisterDevice, "/api/users/registerDeviceToken", RouteSDKIngest, true),
	{id: sdkDisableDevice, path: "/api/users/disableDevice", methods: "POST", route: RouteSDKIngest, client: true, bare: true},
	postList(sdkBulkUsers, "/api/users/bulkUpdate"),
	postList(sdkBulkEvents, "/api/events/trackBulk"),
	postList(sdkBulkSubscriptions, "/api/users/bulkUpdateSubscriptions"),
	{id: sdkUserByEmail, path: "/api/users/getByEmail", methods: "GET", route: RouteSDKLookup},
	{id: sdkUserByID, path: "/api/users/byUserId", methods: "GET", route: RouteSDKLookup},
	{id: sdkOneByEmail, path: pathOneByEmail, methods: "GET, DELETE", route: RouteSDKLookup},
	{id: sdkOneByID, path: pathOneByID, methods: "GET, DELETE", route: RouteSDKLookup},
	{id: sdkMembership, path: pathMemberEmail, methods: "PATCH, DELETE", route: RouteSDKIngest},
	{id: sdkMembership, path: pathMemberID, methods: "PATCH, DELETE", route: RouteSDKIngest},
	stub(sdkRemoteConfiguration, "GET", "/api/mobile/getRemoteConfiguration"),
	stub(sdkNoInApp, "GET", "/api/inApp/getMessages"),
	stub(sdkNoInApp, "GET", "/api/inApp/web/getMessages"),
	stub(sdkUnknownCriteria, "GET", "/api/unknownuser/list"),
	stub(sdkAcknowledge, "POST", "/api/unknownuser/events/session"),
	stub(sdkAcknowledge, "POST", "/api/unknownuser/consent"),
	stub(sdkAcknowledge, "POST", pathAcknowledged+"trackPushOpen"),
	stub(sdkAcknowledge, "POST", pathAcknowledged+"trackInAppOpen"),
	stub(sdkAcknowledge, "POST", pathAcknowledged+"trackInAppClick"),
	stub(sdkAcknowledge, "POST", pathAcknowledged+"trackInAppClose"),
	stub(sdkAcknowledge, "POST", pathAcknowledged+"trackInAppDelivery"),
	stub(sdkAcknowledge, "POST", pathAcknowledged+"inAppConsume"),
	stub(sdkAcknowledge, "POST", pathAcknowledged+"trackInboxSession"),
}

// sdkPaths finds a call by its path. It never changes.
var sdkPaths = func() map[string]*sdkCall {
	all := make(map[string]*sdkCall, len(sdkCalls))
	for i := range sdkCalls {
		all[sdkCalls[i].path] = &sdkCalls[i]
	}
	return all
}()

// findCall maps a path, as it was sent, to its call, nil when there is none.
func findCall(path []byte) *sdkCall {
	if !bytes.HasPrefix(path, []byte(sdkPrefix)) || bytes.IndexByte(path, '{') >= 0 {
		return nil
	}
	if call, ok := sdkPaths[string(path)]; ok {
		return call
	}
	if rest, ok := bytes.CutPrefix(path, []byte(sdkMemberPrefix)); ok {
		return membership(rest)
	}
	template, rest := pathOneByID, path
	rest, ok := bytes.CutPrefix(path, []byte(sdkUserIDPrefix))
	if !ok {
		template = pathOneByEmail
		rest, ok = bytes.CutPrefix(path, []byte(sdkUserPrefix))
	}
	if !ok || len(rest) == 0 || bytes.IndexByte(rest, '/') >= 0 {
		return nil
	}
	return sdkPaths[template]
}

// membership finds the calls below sdkMemberPrefix.
func membership(rest []byte) *sdkCall {
	parts := bytes.Split(rest, []byte("/"))
	if len(parts) != 4 || len(parts[0]) == 0 || len(parts[1]) == 0 || len(parts[3]) == 0 {
		return nil
	}
	switch string(parts[2]) {
	case "user":
		return sdkPaths[pathMemberEmail]
	case "byUserId":
		return sdkPaths[pathMemberID]
	}
	return nil
}

// named decodes the last part of a path.
func named(path []byte) (string, *problem.Problem) {
	raw := string(path[bytes.LastIndexByte(path, '/')+1:])
	name, err := url.PathUnescape(raw)
	if err != nil || name == "." || name == ".." {
		return "", problem.New("invalid_parameter", "the path names nobody")
	}
	return name, nil
}

// SDKEndpoints lists every call of the SDK-compatible surface. Its document is held against it.
func SDKEndpoints() []Endpoint {
	var all []Endpoint
	for i := range sdkCalls {
		call := &sdkCalls[i]
		kinds := []access.Kind{access.Server}
		if call.client {
			kinds = append(kinds, access.Client)
		}
		for method := range strings.SplitSeq(call.methods, ", ") {
			all = append(all, Endpoint{Method: method, Path: call.path, Kinds: kinds})
		}
	}
	return all
}
