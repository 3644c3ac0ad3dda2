-- Who is a member, and whose lease is running. One row a node; its incarnation rises at each start.

-- One versioned row, changed by compare-and-swap: every change of membership raises it.
CREATE TABLE cluster_view (
  id smallint PRIMARY KEY CHECK (id = 1),
  version bigint NOT NULL,
  feature_level int NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

INSERT INTO cluster_view (id, version, feature_level) VALUES (1, 1, 1);

CREATE TABLE cluster_member (
  node_uuid uuid PRIMARY KEY,
  incarnation bigint NOT NULL CHECK (incarnation > 0),
  name text NOT NULL,
  -- up: serves while its lease runs. left: stopped in order. dead: declared by another member after
  -- a lapse. The last two are terminal for the incarnation.
  status text NOT NULL CHECK (status IN ('up', 'left', 'dead')),
  -- On this server's clock only.
  lease_until timestamptz NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 30); -- renewed each second: room for updates in place

-- A lease that lies further ahead than twice its length was written before the clock was set back:
-- nobody may wait an hour for it.
CREATE FUNCTION lease_runs(lease_until timestamptz, ttl interval) RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL SAFE AS
$$ SELECT lease_until > clock_timestamp() AND lease_until <= clock_timestamp() + 2 * ttl $$;

GRANT SELECT, UPDATE ON cluster_view TO rahat_service;
GRANT SELECT, INSERT, UPDATE ON cluster_member TO rahat_service;
