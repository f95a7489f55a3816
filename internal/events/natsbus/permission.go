package natsbus

// Permissions are the subjects that a user of the bus needs and no more, for a server that allows nothing else.
type Permissions struct{ Publish, Subscribe []string }

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
