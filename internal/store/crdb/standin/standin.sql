CREATE TABLE IF NOT EXISTS hlc_clock (
  one     BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
  wall    INT8 NOT NULL,
  logical INT8 NOT NULL,
  xact    INT8 NOT NULL,
  trimmed_wall    INT8 NOT NULL DEFAULT 0,
  trimmed_logical INT8 NOT NULL DEFAULT 0
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0);

INSERT INTO hlc_clock (wall, logical, xact) VALUES (0, 0, 0) ON CONFLICT (one) DO NOTHING;

-- What changed, in the order of commits: key and after are the texts of the changefeed, after is null for a delete.
CREATE TABLE IF NOT EXISTS hlc_outbox (
  id         BIGSERIAL,
  wall       INT8 NOT NULL,
  logical    INT8 NOT NULL,
  table_name TEXT NOT NULL,
  key        TEXT NOT NULL,
  after      TEXT,
  PRIMARY KEY (wall, logical, id)
);

-- The stamp of this transaction: taken at its first call, the same at every further one.
CREATE OR REPLACE FUNCTION hlc_tick() RETURNS TEXT LANGUAGE plpgsql AS $$
DECLARE
  mine  INT8 := pg_current_xact_id()::TEXT::INT8;
  stamp TEXT;
BEGIN
  SELECT wall::TEXT || '.' || lpad(logical::TEXT, 10, '0') INTO stamp FROM hlc_clock WHERE xact = mine;
  IF stamp IS NULL THEN
    UPDATE hlc_clock SET
      logical = CASE WHEN wall < (extract(epoch FROM clock_timestamp()) * 1000000)::INT8 * 1000 THEN 0 ELSE logical + 1 END,
      wall = greatest(wall, (extract(epoch FROM clock_timestamp()) * 1000000)::INT8 * 1000),
      xact = mine
    RETURNING wall::TEXT || '.' || lpad(logical::TEXT, 10, '0') INTO stamp;
  END IF;
  RETURN stamp;
END $$;

CREATE OR REPLACE FUNCTION hlc_before() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM hlc_tick();
  RETURN NULL;
END $$;

-- The arguments are the columns of the key.
CREATE OR REPLACE FUNCTION hlc_after() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  row_image JSONB := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
  key_image JSONB := '[]';
BEGIN
  FOR i IN 0 .. TG_NARGS - 1 LOOP
    key_image := key_image || jsonb_build_array(row_image -> TG_ARGV[i]);
  END LOOP;
  INSERT INTO hlc_outbox (wall, logical, table_name, key, after)
    SELECT wall, logical, TG_TABLE_NAME, key_image::TEXT, CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE row_image::TEXT END FROM hlc_clock;
  RETURN NULL;
END $$;

DO $$
DECLARE
  fed RECORD;
BEGIN
  FOR fed IN SELECT * FROM (VALUES
    ('profiles', '''project_id'', ''user_id'''), ('user_events', '''project_id'', ''user_id'', ''event_id'''), ('emails', '''project_id'', ''email'''),
    ('rulesets', '''project_id'''), ('api_keys', '''project_id'', ''id''')) AS t(name, columns)
  LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER hlc_before BEFORE INSERT OR UPDATE OR DELETE ON %I FOR EACH STATEMENT EXECUTE FUNCTION hlc_before()', fed.name);
    EXECUTE format('CREATE OR REPLACE TRIGGER hlc_after AFTER INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION hlc_after(%s)', fed.name, fed.columns);
  END LOOP;
END $$;

SELECT hlc_tick();
