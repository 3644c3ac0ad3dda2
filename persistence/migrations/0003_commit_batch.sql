-- One statement a batch: everything that a writer's group of commits changes, in one round trip, so
-- that no transaction is ever open while a client thinks. Functions carry a version in their name:
-- a release adds commit_batch_v2 beside this one, it never changes it in place, because nodes of
-- the release before still call it.

-- The service may not touch what has been written once.
GRANT SELECT, UPDATE ON shard TO rahat_service;
GRANT SELECT, INSERT ON journal, transfer, line, account TO rahat_service;

-- Heads by compare-and-swap (fence, chain lock and position allocator in one), then the rows of
-- commands. Arrays of one section have one length; empty sections cost one comparison. At most one
-- row a key and section: the writer sends the last one of a batch.
CREATE FUNCTION commit_batch_v1(
  b_id bigint, b_generation bytea,
  s_shard smallint[], s_epoch bigint[], s_expected bigint[], s_head bigint[], s_hash bytea[],
  j_kind text[], j_entity uuid[], j_seq bigint[], j_shard smallint[], j_position bigint[],
  j_epoch bigint[], j_type text[], j_payload bytea[], j_principal text[], j_at bigint[],
  j_hash bytea[],
  r_day date[], r_id uuid[], r_kind text[], r_entity uuid[], r_hash bigint[], r_shard smallint[],
  r_position bigint[], r_reply bytea[],
  a_id uuid[], a_kind text[], a_entity uuid[], a_reply bytea[],
  q_kind text[], q_id uuid[], q_shard smallint[], q_seq bigint[], q_project uuid[],
  q_parent uuid[], q_status text[], q_created bigint[], q_doc jsonb[],
  o_source_kind text[], o_source uuid[], o_target_kind text[], o_target uuid[], o_n bigint[],
  o_shard smallint[], o_at bigint[], o_body bytea[],
  t_purpose uuid[], t_debit uuid[], t_credit uuid[], t_amount bigint[], t_currency text[],
  t_shard smallint[], t_position bigint[],
  w_kind text[], w_entity uuid[], w_currency text[], w_shard smallint[], w_seq bigint[],
  w_amount bigint[],
  m_kind text[], m_entity uuid[], m_name text[], m_shard smallint[], m_due bigint[],
  d_kind text[], d_entity uuid[], d_name text[]
) RETURNS void LANGUAGE plpgsql
-- Plans are kept for the connection's life: one that was made while the tables were small must not
-- scan them when they are large.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  moved bigint;
  lost text;
BEGIN
  UPDATE shard t SET head_position = u.head, head_hash = u.hash, commit_id = b_id
    FROM unnest(s_shard, s_epoch, s_expected, s_head, s_hash) u(shard, epoch, expected, head, hash)
    WHERE t.shard = u.shard AND t.generation = b_generation AND t.epoch = u.epoch
      AND t.head_position = u.expected;
  GET DIAGNOSTICS moved = ROW_COUNT;
  IF moved <> cardinality(s_shard) THEN
    SELECT string_agg(u.shard::text, ',') INTO lost
      FROM unnest(s_shard, s_head) u(shard, head)
      WHERE NOT EXISTS (SELECT FROM shard t WHERE t.shard = u.shard AND t.commit_id = b_id
                          AND t.head_position = u.head AND t.generation = b_generation);
    RAISE EXCEPTION 'fenced shards: %', lost USING ERRCODE = 'RH001';
  END IF;

  INSERT INTO journal (kind, entity, seq, shard, position, epoch, type, payload, principal, at_us,
                       hash)
    SELECT * FROM unnest(j_kind, j_entity, j_seq, j_shard, j_position, j_epoch, j_type, j_payload,
                         j_principal, j_at, j_hash);
  IF cardinality(r_id) > 0 THEN
    INSERT INTO request (day, id, kind, entity, payload_hash, shard, position, reply)
      SELECT * FROM unnest(r_day, r_id, r_kind, r_entity, r_hash, r_shard, r_position, r_reply);
  END IF;
  IF cardinality(a_id) > 0 THEN
    UPDATE request t SET reply = u.reply
      FROM unnest(a_id, a_kind, a_entity, a_reply) u(id, kind, entity, reply)
      WHERE t.id = u.id AND t.kind = u.kind AND t.entity = u.entity;
  END IF;
  IF cardinality(q_id) > 0 THEN
    INSERT INTO query (kind, id, shard, seq, project, parent, status, created_us, doc)
      SELECT * FROM unnest(q_kind, q_id, q_shard, q_seq, q_project, q_parent, q_status, q_created,
                           q_doc)
      ON CONFLICT (id, kind) DO UPDATE SET seq = excluded.seq, project = excluded.project,
        parent = excluded.parent, status = excluded.status, created_us = excluded.created_us,
        doc = excluded.doc;
  END IF;
  IF cardinality(o_n) > 0 THEN
    INSERT INTO outbox (source_kind, source, target_kind, target, n, shard, at_us, body)
      SELECT * FROM unnest(o_source_kind, o_source, o_target_kind, o_target, o_n, o_shard, o_at,
                           o_body);
  END IF;
  IF cardinality(t_purpose) > 0 THEN
    INSERT INTO transfer (purpose, line, debit, credit, amount_minor, currency, shard, position)
      SELECT u.purpose, 0, u.debit, u.credit, u.amount, u.currency, u.shard, u.position
      FROM unnest(t_purpose, t_debit, t_credit, t_amount, t_currency, t_shard, t_position)
        u(purpose, debit, credit, amount, currency, shard, position);
  END IF;
  IF cardinality(w_entity) > 0 THEN
    INSERT INTO owned_total (kind, entity, currency, shard, seq, amount_minor)
      SELECT * FROM unnest(w_kind, w_entity, w_currency, w_shard, w_seq, w_amount)
      ON CONFLICT (entity, kind, currency)
        DO UPDATE SET seq = excluded.seq, amount_minor = excluded.amount_minor;
  END IF;
  IF cardinality(m_entity) > 0 THEN
    INSERT INTO timer (kind, entity, name, shard, due_us)
      SELECT * FROM unnest(m_kind, m_entity, m_name, m_shard, m_due)
      ON CONFLICT (entity, name, kind) DO UPDATE SET due_us = excluded.due_us;
  END IF;
  IF cardinality(d_entity) > 0 THEN
    DELETE FROM timer t USING unnest(d_kind, d_entity, d_name) u(kind, entity, name)
      WHERE t.entity = u.entity AND t.name = u.name AND t.kind = u.kind;
  END IF;
END $$;

-- The sections that commands seldom have; called beside commit_batch_v1 in the same statement.
CREATE FUNCTION commit_bulk_v1(
  c_first uuid[], c_last uuid[], c_shard smallint[], c_owner_kind text[], c_owner uuid[],
  c_project uuid[], c_currency text[], c_role text[],
  l_list uuid[], l_no int[], l_person uuid[], l_wallet uuid[], l_batch uuid[], l_amount bigint[],
  u_upload uuid[], u_ordinal int[], u_row int[], u_person uuid[], u_amount bigint[],
  u_sealed bytea[], u_key bytea[],
  e_upload uuid[], e_row int[], e_field text[], e_message text[],
  p_purpose uuid[], p_first int[], p_last int[], p_debit uuid[], p_currency text[],
  p_count bigint[], p_sum bigint[], p_digest bytea[], p_shard smallint[], p_position bigint[]
) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
  made bigint;
  total numeric;
  rows_digest bytea;
BEGIN
  IF cardinality(c_first) > 0 THEN
    INSERT INTO account (first, last, shard, owner_kind, owner, project, currency, role)
      SELECT * FROM unnest(c_first, c_last, c_shard, c_owner_kind, c_owner, c_project, c_currency,
                           c_role);
  END IF;
  IF cardinality(l_no) > 0 THEN
    INSERT INTO line (list, no, person, wallet, batch, amount_minor)
      SELECT * FROM unnest(l_list, l_no, l_person, l_wallet, l_batch, l_amount);
  END IF;
  IF cardinality(u_ordinal) > 0 THEN
    INSERT INTO upload_row (upload, ordinal, row_no, person, amount_minor, sealed)
      SELECT * FROM unnest(u_upload, u_ordinal, u_row, u_person, u_amount, u_sealed);
    INSERT INTO person_key (upload, ordinal, person, wrapped_key)
      SELECT * FROM unnest(u_upload, u_ordinal, u_person, u_key);
  END IF;
  IF cardinality(e_row) > 0 THEN
    INSERT INTO upload_error (upload, row_no, field, message)
      SELECT * FROM unnest(e_upload, e_row, e_field, e_message);
  END IF;
  -- The server makes the transfers from the locked lines, then checks what stands in the ledger now
  -- against the approved digest: whatever was changed, and whenever, cannot pass.
  FOR i IN 1 .. cardinality(p_purpose) LOOP
    INSERT INTO transfer (purpose, line, debit, credit, amount_minor, currency, shard, position)
      SELECT p_purpose[i], l.no, p_debit[i], l.wallet, l.amount_minor, p_currency[i], p_shard[i],
             p_position[i]
      FROM line l WHERE l.list = p_purpose[i] AND l.no BETWEEN p_first[i] AND p_last[i];
    SELECT count(*), sum(t.amount_minor),
           sha256(string_agg(int4send(t.line) || uuid_send(t.credit) || int8send(t.amount_minor),
                             ''))
      INTO made, total, rows_digest
      FROM (SELECT * FROM transfer WHERE purpose = p_purpose[i]
              AND transfer.line BETWEEN p_first[i] AND p_last[i] ORDER BY transfer.line) t;
    IF made <> p_count[i] OR total <> p_sum[i] OR rows_digest IS DISTINCT FROM p_digest[i] THEN
      RAISE EXCEPTION 'lines % to % of pay list % are not those that were approved (% rows, sum %)',
        p_first[i], p_last[i], p_purpose[i], made, total USING ERRCODE = 'RH002';
    END IF;
  END LOOP;
END $$;

-- Requests whose day has no partition yet: after a clock that jumped, or before the first start of
-- the day's housekeeping.
CREATE TABLE request_other PARTITION OF request DEFAULT;

-- Creates the partitions of today and the next two days and drops those older than seven days; the
-- service may not create tables, so it runs with the owner's rights. Returns how many it made and
-- dropped. The lock on `request` is short; callers set lock_timeout.
CREATE FUNCTION request_days_v1() RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
  keep_days constant int := 7;
  today constant date := (now() AT TIME ZONE 'UTC')::date;
  d date;
  part text;
  changed int := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('rahat.request_days'));
  FOR i IN 0 .. 2 LOOP
    d := today + i;
    part := 'request_' || to_char(d, 'YYYYMMDD');
    IF to_regclass(part) IS NULL AND NOT EXISTS (SELECT FROM request_other WHERE day = d) THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF request FOR VALUES FROM (%L) TO (%L)',
                     part, d, d + 1);
      changed := changed + 1;
    END IF;
  END LOOP;
  FOR part IN
    SELECT c.relname FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
    WHERE h.inhparent = 'request'::regclass AND c.relname ~ '^request_[0-9]{8}$'
      AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - keep_days
  LOOP
    EXECUTE format('DROP TABLE %I', part);
    changed := changed + 1;
  END LOOP;
  DELETE FROM request_other WHERE day < today - keep_days;
  RETURN changed;
END $$;
REVOKE EXECUTE ON FUNCTION request_days_v1() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION request_days_v1() TO rahat_service;
