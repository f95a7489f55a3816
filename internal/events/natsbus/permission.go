package natsbus

// Permissions are the subjects that a user of the bus needs and no more, for a server that allows nothing else.
type Permissions struct {
	Publish, Subscribe []string
	Responses          bool // may answer the requests that reach it: allow_responses
}

// inboxes is where answers come to; "$JS.API." begins the requests of the JetStream protocol.
const inboxes = "_INBOX.>"

// RelayPermissions are those of a relay alone. It makes the stream when it is not there; who makes it by hand may leave STREAM.CREATE out.
func RelayPermissions() Permissions {
	return Permissions{
		Publish:   []string{changesPrefix + "*", "$JS.API.STREAM.INFO." + StreamName, "$JS.API.STREAM.CREATE." + StreamName},
		Subscribe: []string{inboxes},
	}
}

// ReplicaPermissions are those of a replica that does not relay. One that does has those of a relay as well.
func ReplicaPermissions() Permissions {
	return Permissions{
		Publish: []string{
			hintsSubject, fleetSubject, "$JS.API.STREAM.INFO." + StreamName, "$JS.API.CONSUMER.CREATE." + StreamName + ".>",
			deleteConsumer + "*", "$JS.FC." + StreamName + ".>", // which answers flow control
		},
		Subscribe: []string{hintsSubject, fleetSubject, inboxes},
	}
}

// AudiencePermissions are those that a replica has beside whose audience jobs publish. Who makes the stream by hand may leave STREAM.CREATE out.
func AudiencePermissions() Permissions {
	return Permissions{Publish: []string{
		audienceAny, "$JS.API.STREAM.INFO." + AudienceStream, "$JS.API.STREAM.CREATE." + AudienceStream, "$JS.API.STREAM.MSG.GET." + AudienceStream,
	}}
}

// ServicePermissions are those that a replica has beside while it answers pre-checks.
func ServicePermissions() Permissions {
	return Permissions{
		Subscribe: append([]string{PrecheckSubject}, discovery()...),
		Responses: true,
	}
}

// discovery is the subjects by which the framework finds a service: all services, those of one name, one instance.
func discovery() []string {
	return []string{"$SRV.*", "$SRV.*." + ServiceName, "$SRV.*." + ServiceName + ".*"}
}

// SenderPermissions are those of a send worker, which asks for pre-checks and reads the results of its project's audience jobs, by consumers of one subject each. Answers are about users: they come to inboxes of its own (nats.CustomInboxPrefix) and
// not to those where another project's sender could listen.
func SenderPermissions(project string) Permissions {
	return Permissions{
		Publish: append([]string{
			PrecheckSubject, "$JS.API.CONSUMER.CREATE." + AudienceStream + ".*." + audiencePrefix + project + ".*", "$JS.API.CONSUMER.MSG.NEXT." + AudienceStream + ".*",
			"$JS.API.CONSUMER.DELETE." + AudienceStream + ".*", "$JS.API.CONSUMER.INFO." + AudienceStream + ".*", "$JS.ACK." + AudienceStream + ".>",
		}, discovery()...),
		Subscribe: []string{SenderInboxes(project) + ".>"},
	}
}

// SenderInboxes is the prefix of a sender's inboxes.
func SenderInboxes(project string) string { return "_INBOX_" + project }
