package server

import (
	"eligibility/internal/problem"

	"github.com/valyala/fasthttp"
)

// sdk answers a call of the SDK-compatible surface.
func (s *Server) sdk(ctx *fasthttp.RequestCtx, st *state, path, query []byte) *problem.Problem {
	switch st.call.id {
	case sdkMessages:
		return s.sdkSync(ctx, st, query)
	case sdkReceived, sdkClick, sdkDismiss:
		return s.sdkEngage(ctx, st)
	case sdkSession:
		return s.sdkSession(ctx, st)
	case sdkUpdateUser:
		return s.sdkUpdateUser(ctx, st)
	case sdkUpdateEmail:
		return s.sdkUpdateEmail(ctx, st)
	case sdkMerge:
		return s.sdkMerge(ctx, st)
	case sdkSubscriptions:
		return s.sdkSubscribe(ctx, st)
	case sdkTrack:
		return s.sdkTrack(ctx, st)
	case sdkPurchase, sdkCart:
		return s.sdkCommerce(ctx, st)
	case sdkRegisterDevice, sdkDisableDevice:
		return s.sdkDevice(ctx, st)
	case sdkBulkUsers, sdkBulkEvents, sdkBulkSubscriptions:
		return s.sdkBulk(ctx, st)
	case sdkUserByEmail, sdkUserByID, sdkOneByEmail, sdkOneByID:
		return s.sdkLookup(ctx, st, path, query)
	case sdkMembership:
		return s.sdkMembership(ctx, st, path)
	}
	return s.sdkStub(ctx, st)
}

// sdkStub answers what SDKs ask of features that are not here: nothing is there, and all went well.
func (s *Server) sdkStub(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	switch st.call.id {
	case sdkRemoteConfiguration:
		return sdkBody(ctx, `{"offlineMode":false,"autoRetry":false}`+"\n")
	case sdkNoInApp:
		return sdkBody(ctx, `{"inAppMessages":[]}`+"\n")
	case sdkUnknownCriteria:
		return sdkBody(ctx, `{"count":0,"criteriaSets":[]}`+"\n")
	}
	return sdkBody(ctx, sdkSuccess)
}

func sdkBody(ctx *fasthttp.RequestCtx, body string) *problem.Problem {
	ctx.SetContentType(contentJSON)
	ctx.SetBodyString(body)
	return nil
}
