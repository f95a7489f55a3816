-- The tables of a new database. Every statement can be repeated: a migration that was cut off is run again from its beginning.
--
-- On the changefeed are profiles, user_events, emails, rulesets and api_keys. Their keys begin with project and then user, address or id.
-- The functions locked and expiring are the storage parameters that this database can do; expiring takes the minute at which the database looks.

CREATE TABLE IF NOT EXISTS profiles (
  project_id TEXT NOT NULL,
  user_id    TEXT NOT NULL CHECK (octet_length(user_id) BETWEEN 1 AND 256),
  attrs      JSONB NOT NULL DEFAULT '{}',
  consent    JSONB NOT NULL DEFAULT '{}',
  email      TEXT NOT NULL DEFAULT '',
  time_zone  TEXT NOT NULL DEFAULT '',
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (project_id, user_id)
) {{ locked }};

-- An event's id is its place: a repeat replaces it, at whatever time it now lies, without a look at what was there.
CREATE TABLE IF NOT EXISTS user_events (
  project_id  TEXT NOT NULL,
  user_id     TEXT NOT NULL CHECK (octet_length(user_id) BETWEEN 1 AND 256),
  event_id    TEXT NOT NULL,
  name        TEXT NOT NULL,
  occurred_at TIMESTAMPTZ NOT NULL,
  props       JSONB NOT NULL DEFAULT '{}',
  expires_at  TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (project_id, user_id, event_id)
) {{ expiring 17 }};

-- Addresses in lower case. A table of its own, so that writing a profile need not look for its neighbours'.
CREATE TABLE IF NOT EXISTS emails (
  project_id TEXT NOT NULL,
  email      TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  PRIMARY KEY (project_id, email)
) {{ locked }};

-- The ruleset version alone: this row changes exactly when a new version is there, and that is what the feed tells.
CREATE TABLE IF NOT EXISTS rulesets (
  project_id   TEXT NOT NULL PRIMARY KEY,
  version      INT8 NOT NULL,
  published_at TIMESTAMPTZ NOT NULL DEFAULT now()
) {{ locked }};

CREATE TABLE IF NOT EXISTS api_keys (
  project_id TEXT NOT NULL,
  id         TEXT NOT NULL,
  doc        TEXT NOT NULL,
  PRIMARY KEY (project_id, id)
) {{ locked }};

-- Documents that marketers author are kept as the text that was written: what is inside is the engine's business.
CREATE TABLE IF NOT EXISTS projects (
  project_id     TEXT NOT NULL PRIMARY KEY,
  settings       TEXT NOT NULL,
  context        TEXT NOT NULL,
  placements     TEXT NOT NULL,
  schema_version INT8 NOT NULL,
  schema_doc     TEXT NOT NULL
) {{ locked }};

CREATE TABLE IF NOT EXISTS heads (
  project_id TEXT NOT NULL,
  id         TEXT NOT NULL,
  generation INT8 NOT NULL,
  in_force   INT8 NOT NULL DEFAULT 0,
  doc        TEXT NOT NULL,
  PRIMARY KEY (project_id, id)
) {{ locked }};

CREATE TABLE IF NOT EXISTS revisions (
  project_id TEXT NOT NULL,
  id         TEXT NOT NULL,
  number     INT8 NOT NULL,
  doc        TEXT NOT NULL,
  PRIMARY KEY (project_id, id, number)
) {{ locked }};

CREATE TABLE IF NOT EXISTS receipts (
  project_id TEXT NOT NULL,
  id         TEXT NOT NULL,
  doc        TEXT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (project_id, id)
) {{ expiring 29 }};

CREATE TABLE IF NOT EXISTS audit_log (
  project_id TEXT NOT NULL,
  wall       INT8 NOT NULL,
  logical    INT8 NOT NULL,
  id         TEXT NOT NULL,
  doc        TEXT NOT NULL,
  PRIMARY KEY (project_id, wall, logical, id)
) {{ locked }};

-- One row for each authored commit: a commit whose fate is unknown is looked for here before it is tried again.
CREATE TABLE IF NOT EXISTS commit_marks (
  id         TEXT NOT NULL PRIMARY KEY,
  wall       INT8 NOT NULL,
  logical    INT8 NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL
) {{ expiring 43 }};

CREATE TABLE IF NOT EXISTS observed (
  project_id TEXT NOT NULL,
  what       TEXT NOT NULL,
  name       TEXT NOT NULL,
  kind       TEXT NOT NULL,
  PRIMARY KEY (project_id, what, name)
) {{ locked }};

-- Never on the feed.
CREATE TABLE IF NOT EXISTS relay_state (
  name       TEXT NOT NULL PRIMARY KEY,
  holder     TEXT NOT NULL DEFAULT '',
  epoch      INT8 NOT NULL DEFAULT 0,
  expires_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00',
  cursor_hlc DECIMAL NOT NULL DEFAULT 0
);

INSERT INTO relay_state (name) VALUES ('main') ON CONFLICT (name) DO NOTHING;
