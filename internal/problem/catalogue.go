package problem

// Entry is what is fixed about a code.
type Entry struct {
	Status int
	Title  string
}

// Internal is the code of a fault of ours.
const Internal = "internal"

// Catalogue is every code that any plane answers. Codes are stable: they are added, never renamed.
var Catalogue = map[string]Entry{
	// Transport and body.
	"empty_body":             {400, "The request has no body"},
	"invalid_json":           {400, "The body is not valid JSON"},
	"invalid_json_type":      {400, "The body is JSON of the wrong kind"},
	"duplicate_key":          {400, "A name stands twice in one JSON object"},
	"unknown_field":          {400, "The body has a field that this call does not know"},
	"missing_field":          {400, "A required field is missing"},
	"too_deep":               {400, "The body is nested too deeply"},
	"invalid_utf8":           {400, "The body is not valid UTF-8"},
	"wrong_type":             {400, "A value has the wrong type"},
	"out_of_range":           {400, "A value is outside of its range"},
	"invalid_value":          {400, "A value is not one of those allowed"},
	"invalid_user_id":        {400, "The user id is malformed"},
	"invalid_email":          {400, "The e-mail address is malformed"},
	"invalid_project":        {400, "The project name is malformed"},
	"invalid_parameter":      {400, "A query parameter is malformed"},
	"bad_request":            {400, "The request is malformed"},
	"too_many":               {400, "A list has too many items"},
	"undeclared_context":     {400, "A context attribute is not declared"},
	"as_of_in_future":        {400, "minAsOf lies in the future"},
	"invalid_as_of":          {400, "minAsOf is not a stamp that this engine gave out"},
	"future_event":           {400, "The event lies too far in the future"},
	"body_too_large":         {413, "The body is too large"},
	"too_many_users":         {413, "The request names too many users"},
	"too_many_items":         {413, "The request has too many items"},
	"unsupported_encoding":   {415, "Compressed bodies are not accepted here"},
	"unsupported_media_type": {415, "The body must be application/json"},
	"header_too_large":       {431, "The request header is too large"},
	"request_timeout":        {408, "The request took too long to arrive"},
	"not_found":              {404, "There is nothing at this address"},
	"method_not_allowed":     {405, "The method is not allowed here"},

	// Credentials.
	"missing_credential":  {401, "No API key was sent"},
	"invalid_credential":  {401, "The API key is not valid"},
	"missing_token":       {401, "This key demands a user token"},
	"invalid_token":       {401, "The user token is not valid"},
	"expired_token":       {401, "The user token has expired"},
	"user_mismatch":       {403, "The token or key is for another user"},
	"forbidden":           {403, "This key may not do that"},
	"forbidden_origin":    {403, "This key is not for web pages of this origin"},
	"key_suspended":       {403, "This key is suspended"},
	"explain_not_allowed": {403, "A client key may not ask for explanations"},
	"rate_limited":        {429, "Too many requests"},

	// Items of a batch.
	"email_taken":       {409, "The e-mail address belongs to another user"},
	"profile_too_large": {400, "The profile would be too large"},
	"event_too_large":   {400, "The event's properties are too large"},
	"server_only":       {403, "The attribute cannot be written with a client key"},

	// Freshness and availability.
	"store_unavailable":   {503, "The store cannot be read"},
	"not_durable":         {503, "The write could not be made durable"},
	"overloaded":          {503, "Too many requests are waiting"},
	"as_of_not_reached":   {503, "The demanded freshness was not reached in time"},
	"version_not_reached": {503, "The demanded ruleset version is not live here yet"},
	"ruleset_unavailable": {503, "The project's ruleset is not loaded"},
	"shutting_down":       {503, "The server is shutting down"},

	// Authoring.
	"project_not_found":       {404, "There is no such project"},
	"promotion_not_found":     {404, "There is no such promotion"},
	"user_not_found":          {404, "There is no such user"},
	"revision_not_found":      {404, "There is no such revision"},
	"key_not_found":           {404, "There is no such key"},
	"audience_not_found":      {404, "There is no such audience job"},
	"push_hook_not_found":     {404, "The project has no push hook"},
	"exists":                  {409, "It exists already with other content"},
	"conflict":                {409, "It was changed meanwhile"},
	"idempotency_mismatch":    {409, "The idempotency key was used for another request"},
	"invalid_idempotency_key": {400, "The idempotency key is malformed or not taken here"},
	"precondition_failed":     {412, "If-Match does not match"},
	"audience_ended":          {409, "The audience job has ended"},
	"audience_active":         {409, "The audience job has not ended"},
	"not_published":           {409, "The promotion is not published"},
	"no_draft":                {409, "The promotion has no draft"},
	"no_test_users":           {409, "The project has no test users"},
	"rule_invalid":            {422, "The rule does not check"},
	"promotion_invalid":       {422, "The promotion is not complete"},
	"schema_invalid":          {422, "The declaration is not allowed"},
	"quota":                   {422, "The project has reached a limit"},
	"confirm_required":        {422, "This change asks for confirmation"},

	Internal: {500, "Something went wrong on our side"},
}
