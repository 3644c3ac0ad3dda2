-- What the auditor's follower remembers between two looks at the journal. Only the auditor writes
-- these tables; everything in them can be derived from the journal again.

-- How much the rows up to the watermark have moved.
ALTER TABLE audit_watermark
  ADD COLUMN transfers bigint NOT NULL DEFAULT 0,
  ADD COLUMN moved_minor numeric NOT NULL DEFAULT 0;

-- Money whose owner has been told and has not applied it, as far as the watermarks go. A row goes
-- when the row that applies it is folded.
CREATE TABLE audit_notice (
  source_kind  text COLLATE "C" NOT NULL,
  source       uuid NOT NULL,
  target_kind  text COLLATE "C" NOT NULL,
  target       uuid NOT NULL,
  n            bigint NOT NULL,
  currency     char(3) NOT NULL,
  amount_minor bigint NOT NULL,
  PRIMARY KEY (target, source, n, target_kind, source_kind)
);

-- The last message of each source that a target has applied: shards are folded one after the
-- other, so that a notice may be seen after the row that applies it.
CREATE TABLE audit_applied (
  source_kind text COLLATE "C" NOT NULL,
  source      uuid NOT NULL,
  target_kind text COLLATE "C" NOT NULL,
  target      uuid NOT NULL,
  n           bigint NOT NULL,
  PRIMARY KEY (target, source, target_kind, source_kind)
) WITH (fillfactor = 70);

GRANT SELECT, INSERT, UPDATE, DELETE ON audit_notice, audit_applied TO rahat_service;
