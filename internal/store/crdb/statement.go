package crdb

// statements are the texts that differ between dialects, made once. All others stand beside their only use.
type statements struct {
	stamp, now                   string
	loadOne, loadMany, loadMixed string
	putEvents, putTimeless       string
	putUsers                     string
	readUser                     string
	readSpec                     string
}

func statementsOf(d *dialect) statements {
	return statements{
		stamp:    "SELECT " + d.asOf,
		now:      "SELECT " + d.now,
		loadOne:  loadStatement(d, "project_id = $1 AND user_id = $2", "project_id = $1", "NULL", "NULL"),
		loadMany: loadStatement(d, "project_id = $1 AND user_id = ANY ($2)", "project_id = $1", "NULL", "user_id"),
		loadMixed: loadStatement(d, "(project_id, user_id) IN (SELECT * FROM unnest($1::TEXT[], $2::TEXT[]))", "project_id = ANY ($1)",
			"project_id", "user_id"),
		putEvents:   putEventsStatement(d),
		putTimeless: putTimelessStatement,
		putUsers:    putUsersStatement(d),
		readUser:    readUserStatement(d),
		readSpec:    readSpecStatement(d),
	}
}
