-- take, as of this release. What shard_take_v1 grants (docs/protocols/moves.md), and to a member
-- that is leaving what is still its own: a shard whose release was refused, because its head had
-- moved, would else be served by nobody until that member has gone. Nothing new is given to it.
--
-- Safe beside the release before, which goes on calling shard_take_v1: both hold the row's lock and
-- grant to one at a time.
CREATE FUNCTION shard_take_v2(
  p_shard int, p_node uuid, p_incarnation bigint, p_generation bytea, p_ttl interval
) RETURNS TABLE (epoch bigint, head_position bigint, head_hash bytea) LANGUAGE sql AS $$
  -- First the lock: what is judged below is then read anew. In one statement, whoever waited for
  -- the row would judge its new owner by members as they were before.
  SELECT FROM shard l WHERE l.shard = p_shard FOR NO KEY UPDATE;
  UPDATE shard s SET epoch = s.epoch + 1, owner = p_node, incarnation = p_incarnation,
         generation = p_generation, changed_at = clock_timestamp()
  WHERE s.shard = p_shard
    AND EXISTS (SELECT FROM cluster_member m WHERE m.node_uuid = p_node
          AND m.incarnation = p_incarnation AND lease_runs(m.lease_until, p_ttl)
          AND (m.status = 'up' OR (m.status = 'leaving'
            AND s.owner = p_node AND s.incarnation = p_incarnation)))
    AND (s.owner IS NULL OR s.generation <> p_generation
      OR (s.owner = p_node AND s.incarnation <= p_incarnation)
      OR NOT EXISTS (SELECT FROM cluster_member m WHERE m.node_uuid = s.owner
          AND m.incarnation = s.incarnation
          AND (m.status IN ('joining', 'up', 'leaving')
            OR (m.status = 'dead' AND lease_runs(m.lease_until, p_ttl)))))
  RETURNING s.epoch, s.head_position, s.head_hash
$$;
