-- Several nodes: who belongs to the cluster, who was voted against, whose a shard is. The story is
-- in docs/protocols/membership.md, moves.md and upgrade.md. Each change is one call in autocommit;
-- a change of a member locks the view's row first, compares its version and raises it.
--
-- Safe beside the release before: that one's inserts find defaults, and new columns have constant
-- ones. A default that is called for each row would write the table anew, and a reader with an
-- older snapshot would then see it empty.

ALTER TABLE cluster_view
  ADD COLUMN key_check bytea NOT NULL DEFAULT ''::bytea, -- of the master key: all seal alike
  ADD COLUMN ttl_ms integer NOT NULL DEFAULT 0;          -- of every lease: all judge alike
ALTER TABLE cluster_member
  DROP CONSTRAINT cluster_member_status_check,
  ADD CONSTRAINT cluster_member_status_check
    CHECK (status IN ('joining', 'up', 'leaving', 'left', 'dead')),
  ADD COLUMN address    text NOT NULL DEFAULT '', -- where peers dial it; empty: it is alone
  ADD COLUMN port       integer NOT NULL DEFAULT 0 CHECK (port BETWEEN 0 AND 65535),
  ADD COLUMN operators  text NOT NULL DEFAULT '', -- its internal listener, for people
  ADD COLUMN build      text NOT NULL DEFAULT '',
  ADD COLUMN build_level   integer NOT NULL DEFAULT 1, -- what it reads at most
  ADD COLUMN feature_level integer NOT NULL DEFAULT 1, -- what it writes: the view's when it looked
  ADD COLUMN drain      boolean NOT NULL DEFAULT false, -- an operator's wish; the node reads it
  ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN why        text NOT NULL DEFAULT '';
ALTER TABLE cluster_member ALTER COLUMN changed_at SET DEFAULT clock_timestamp();

-- Written suspicions. Rows of their own, so that a vote never waits for a renewal of the row that
-- it speaks about.
CREATE TABLE cluster_vote (
  voter   uuid NOT NULL, voter_incarnation   bigint NOT NULL,
  against uuid NOT NULL, against_incarnation bigint NOT NULL,
  written_at timestamptz NOT NULL,
  PRIMARY KEY (voter, against)
) WITH (fillfactor = 30);
GRANT SELECT, INSERT, UPDATE, DELETE ON cluster_vote TO rahat_service;

-- join. RH010 another master key, RH011 feature level, RH012 a node that is alone (no [cluster]),
-- RH014 another length of lease.
CREATE FUNCTION cluster_register_v1(
  p_node uuid, p_least bigint, p_name text, p_address text, p_port int, p_operators text,
  p_build text, p_level int, p_key_check bytea, p_ttl interval
) RETURNS TABLE (incarnation bigint, version bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE v cluster_view; other text; mine bigint;
  ttl constant int := extract(epoch FROM p_ttl) * 1000;
  longest interval; -- of the two lengths: a lease of the other length must not look like none
BEGIN
  SELECT * INTO v FROM cluster_view WHERE id = 1 FOR UPDATE;
  IF v.feature_level > p_level THEN
    RAISE EXCEPTION 'the cluster is at feature level %, this build reads %',
      v.feature_level, p_level USING ERRCODE = 'RH011';
  END IF;
  IF v.key_check <> ''::bytea AND v.key_check <> p_key_check THEN
    RAISE EXCEPTION 'this node has another master key than the cluster' USING ERRCODE = 'RH010';
  END IF;
  longest := greatest(p_ttl, v.ttl_ms * interval '1 millisecond');
  IF v.ttl_ms NOT IN (0, ttl) AND EXISTS (SELECT FROM cluster_member m
      WHERE m.node_uuid <> p_node AND m.status IN ('joining', 'up', 'leaving')
        AND lease_runs(m.lease_until, longest)) THEN
    RAISE EXCEPTION 'lease.ttl_ms is % here and % in the cluster', ttl, v.ttl_ms
      USING ERRCODE = 'RH014';
  END IF;
  SELECT m.name INTO other FROM cluster_member m
    WHERE m.node_uuid <> p_node AND m.status IN ('joining', 'up', 'leaving')
      AND lease_runs(m.lease_until, longest) AND (p_address = '' OR m.address = '') LIMIT 1;
  IF other IS NOT NULL THEN
    RAISE EXCEPTION 'node % serves this database: give both a [cluster]', other
      USING ERRCODE = 'RH012';
  END IF;
  INSERT INTO cluster_member AS m (node_uuid, incarnation, name, status, lease_until, address,
                                   port, operators, build, build_level, feature_level)
    VALUES (p_node, p_least, p_name, CASE p_address WHEN '' THEN 'up' ELSE 'joining' END,
            clock_timestamp() + p_ttl, p_address, p_port, p_operators, p_build, p_level,
            v.feature_level)
    ON CONFLICT (node_uuid) DO UPDATE SET
      incarnation = greatest(m.incarnation + 1, excluded.incarnation), name = excluded.name,
      status = excluded.status, lease_until = excluded.lease_until, address = excluded.address,
      port = excluded.port, operators = excluded.operators, build = excluded.build,
      build_level = excluded.build_level, feature_level = excluded.feature_level,
      started_at = clock_timestamp(), changed_at = clock_timestamp(), why = '', drain = false
    RETURNING m.incarnation INTO mine;
  DELETE FROM cluster_vote WHERE against = p_node OR voter = p_node;
  UPDATE cluster_view SET version = v.version + 1, key_check = p_key_check, ttl_ms = ttl,
    changed_at = clock_timestamp() WHERE id = 1;
  RETURN QUERY SELECT mine, v.version + 1;
END $$;

-- activate, begin_leave, stay, leave. The new version; 0: the view has moved on; -1: other status.
CREATE FUNCTION cluster_change_v1(
  p_node uuid, p_incarnation bigint, p_from text, p_to text, p_why text, p_seen bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE now_at bigint;
BEGIN
  IF (p_from, p_to) NOT IN (('joining', 'up'), ('joining', 'left'), ('up', 'leaving'),
      ('leaving', 'up'), ('leaving', 'left'), ('up', 'left')) THEN
    RAISE EXCEPTION 'no member goes from % to %', p_from, p_to USING ERRCODE = 'RH013';
  END IF;
  SELECT version INTO now_at FROM cluster_view WHERE id = 1 FOR UPDATE;
  IF now_at <> p_seen THEN RETURN 0; END IF;
  UPDATE cluster_member SET status = p_to, why = p_why, changed_at = clock_timestamp(),
      lease_until = CASE p_to WHEN 'left' THEN clock_timestamp() ELSE lease_until END
    WHERE node_uuid = p_node AND incarnation = p_incarnation AND status = p_from;
  IF NOT FOUND THEN RETURN -1; END IF;
  UPDATE cluster_view SET version = now_at + 1, changed_at = clock_timestamp() WHERE id = 1;
  RETURN now_at + 1;
END $$;

-- vote_against, also to renew one. To withdraw it is a DELETE of the own row.
CREATE FUNCTION cluster_vote_v1(
  p_voter uuid, p_voter_incarnation bigint, p_against uuid, p_against_incarnation bigint,
  p_ttl interval
) RETURNS boolean LANGUAGE sql AS $$
  INSERT INTO cluster_vote
    SELECT p_voter, p_voter_incarnation, p_against, p_against_incarnation, clock_timestamp()
    FROM cluster_member me, cluster_member t
    WHERE me.node_uuid = p_voter AND me.incarnation = p_voter_incarnation AND me.status = 'up'
      AND lease_runs(me.lease_until, p_ttl)
      AND t.node_uuid = p_against AND t.incarnation = p_against_incarnation AND t.status = 'up'
      AND p_voter <> p_against
    ON CONFLICT (voter, against) DO UPDATE SET written_at = excluded.written_at,
      voter_incarnation = excluded.voter_incarnation,
      against_incarnation = excluded.against_incarnation
    RETURNING true
$$;

-- declare_dead. 'dead'; 'stale': the view has moved on; 'alive': it has renewed, or the votes are
-- not enough (any more); 'not_you': the caller is no member with a running lease.
CREATE FUNCTION cluster_declare_dead_v1(
  p_by uuid, p_by_incarnation bigint, p_target uuid, p_incarnation bigint, p_reason text,
  p_lease_us bigint, p_seen bigint, p_ttl interval, p_expiry interval
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE now_at bigint; by_status text; active int; voters int;
  smallest uuid; smallest_votes boolean;
BEGIN
  SELECT version INTO now_at FROM cluster_view WHERE id = 1 FOR UPDATE;
  IF now_at <> p_seen THEN RETURN 'stale'; END IF;
  SELECT status INTO by_status FROM cluster_member
    WHERE node_uuid = p_by AND incarnation = p_by_incarnation
      AND status IN ('up', 'leaving') AND lease_runs(lease_until, p_ttl);
  IF by_status IS NULL OR p_by = p_target THEN RETURN 'not_you'; END IF;
  IF p_reason = 'voted' THEN
    SELECT count(*) INTO active FROM cluster_member WHERE status = 'up';
    SELECT node_uuid INTO smallest FROM cluster_member WHERE status = 'up'
      ORDER BY node_uuid LIMIT 1;
    SELECT count(*), coalesce(bool_or(v.voter = smallest), false) INTO voters, smallest_votes
      FROM cluster_vote v JOIN cluster_member f
        ON f.node_uuid = v.voter AND f.incarnation = v.voter_incarnation AND f.status = 'up'
      WHERE v.against = p_target AND v.against_incarnation = p_incarnation
        AND v.written_at BETWEEN clock_timestamp() - p_expiry AND clock_timestamp() + p_expiry;
    IF by_status <> 'up' OR (active = 2 AND NOT smallest_votes)
        OR (active <> 2 AND voters < 2) THEN
      RETURN 'alive';
    END IF;
  END IF;
  UPDATE cluster_member m SET status = 'dead', changed_at = clock_timestamp(),
      why = p_reason || ', by ' || p_by
    WHERE node_uuid = p_target AND incarnation = p_incarnation
      AND CASE p_reason
        WHEN 'voted' THEN m.status = 'up'
        WHEN 'lapsed' THEN m.status IN ('joining', 'up', 'leaving')
          AND (extract(epoch FROM m.lease_until) * 1000000)::bigint = p_lease_us
          AND NOT lease_runs(m.lease_until, p_ttl)
        ELSE false END;
  IF NOT FOUND THEN RETURN 'alive'; END IF;
  DELETE FROM cluster_vote WHERE against = p_target OR voter = p_target;
  UPDATE cluster_view SET version = now_at + 1, changed_at = clock_timestamp() WHERE id = 1;
  RETURN 'dead';
END $$;

-- Of the last change of owner: how long a hand-over took, on one clock.
ALTER TABLE shard ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE shard ALTER COLUMN changed_at SET DEFAULT clock_timestamp();

-- take. No row: not free. To be `up` with a running lease is the taker's own condition; the owner
-- must be gone in every sense: released, of another generation, our own past, or no member any more
-- and with no lease under which it could still answer reads.
CREATE FUNCTION shard_take_v1(
  p_shard int, p_node uuid, p_incarnation bigint, p_generation bytea, p_ttl interval
) RETURNS TABLE (epoch bigint, head_position bigint, head_hash bytea) LANGUAGE sql AS $$
  -- First the lock: what is judged below is then read anew. In one statement, whoever waited for
  -- the row would judge its new owner by members as they were before.
  SELECT FROM shard l WHERE l.shard = p_shard FOR NO KEY UPDATE;
  UPDATE shard s SET epoch = s.epoch + 1, owner = p_node, incarnation = p_incarnation,
         generation = p_generation, changed_at = clock_timestamp()
  WHERE s.shard = p_shard
    AND EXISTS (SELECT FROM cluster_member m WHERE m.node_uuid = p_node
          AND m.incarnation = p_incarnation AND m.status = 'up'
          AND lease_runs(m.lease_until, p_ttl))
    AND (s.owner IS NULL OR s.generation <> p_generation
      OR (s.owner = p_node AND s.incarnation <= p_incarnation)
      OR NOT EXISTS (SELECT FROM cluster_member m WHERE m.node_uuid = s.owner
          AND m.incarnation = s.incarnation
          AND (m.status IN ('joining', 'up', 'leaving')
            OR (m.status = 'dead' AND lease_runs(m.lease_until, p_ttl)))))
  RETURNING s.epoch, s.head_position, s.head_hash
$$;

-- release. Only at the head that the writer named; no row = fenced or not all had landed.
CREATE FUNCTION shard_release_v1(
  p_shard int, p_node uuid, p_incarnation bigint, p_generation bytea, p_epoch bigint, p_head bigint
) RETURNS boolean LANGUAGE sql AS $$
  UPDATE shard SET owner = NULL, changed_at = clock_timestamp()
  WHERE shard = p_shard AND owner = p_node AND incarnation = p_incarnation
    AND generation = p_generation AND epoch = p_epoch AND head_position = p_head
  RETURNING true
$$;

-- finish-upgrade. 'raised' | 'already' | 'stale' (read again) | 'behind: <who>'
CREATE FUNCTION cluster_raise_level_v1(p_to int, p_seen bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE now_at bigint; had int; behind text;
BEGIN
  SELECT version, feature_level INTO now_at, had FROM cluster_view WHERE id = 1 FOR UPDATE;
  IF now_at <> p_seen THEN RETURN 'stale'; END IF;
  IF p_to <= had THEN RETURN 'already'; END IF;
  SELECT string_agg(name || ' (' || build || ', level ' || build_level || ')', ', ') INTO behind
    FROM cluster_member WHERE status IN ('joining', 'up', 'leaving') AND build_level < p_to;
  IF behind IS NOT NULL THEN RETURN 'behind: ' || behind; END IF;
  UPDATE cluster_view SET version = now_at + 1, feature_level = p_to,
    changed_at = clock_timestamp() WHERE id = 1;
  RETURN 'raised';
END $$;
