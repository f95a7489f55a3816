-- Campaign sends that are reserved or confirmed: a document for each user, and one for each promotion with a limit. Neither is on the changefeed: what a confirmed
-- send changes for a user is a user event.

CREATE TABLE IF NOT EXISTS send_ledgers (
  project_id TEXT NOT NULL,
  user_id    TEXT NOT NULL CHECK (octet_length(user_id) BETWEEN 1 AND 256),
  doc        TEXT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (project_id, user_id)
) {{ expiring 51 }};

CREATE TABLE IF NOT EXISTS send_limits (
  project_id TEXT NOT NULL,
  id         TEXT NOT NULL,
  doc        TEXT NOT NULL,
  PRIMARY KEY (project_id, id)
) {{ locked }};
