-- The runtime's tables. Every row names its shard, directly or through its entity, so that shards
-- could one day be spread over several servers.

-- Owner, fence, chain lock and position allocator of a shard in one row: a commit moves the head
-- forward by compare-and-swap under generation, epoch and expected position.
CREATE TABLE shard (
  shard         smallint PRIMARY KEY,
  owner         uuid,
  incarnation   bigint NOT NULL DEFAULT 0,
  generation    bytea NOT NULL DEFAULT ''::bytea,
  epoch         bigint NOT NULL DEFAULT 0,
  head_position bigint NOT NULL DEFAULT 0,
  head_hash     bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
  commit_id     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 30);
INSERT INTO shard (shard) SELECT generate_series(0, 255);

-- One row a commit of one entity. Append-only: the service may neither update nor delete here.
CREATE TABLE journal (
  kind      text COLLATE "C" NOT NULL,
  entity    uuid NOT NULL,
  seq       bigint NOT NULL,
  shard     smallint NOT NULL,
  position  bigint NOT NULL,
  epoch     bigint NOT NULL,
  type      text COLLATE "C" NOT NULL,
  payload   bytea NOT NULL,
  principal text NOT NULL,
  at_us     bigint NOT NULL,
  hash      bytea NOT NULL,
  PRIMARY KEY (entity, seq, kind)
);
CREATE UNIQUE INDEX journal_position ON journal (shard, position);

-- A cache of committed state, thrown away when evolve_version differs.
CREATE TABLE snapshot (
  kind           text COLLATE "C" NOT NULL,
  entity         uuid NOT NULL,
  seq            bigint NOT NULL,
  evolve_version integer NOT NULL,
  body           bytea NOT NULL,
  PRIMARY KEY (entity, kind)
);

-- A range of accounts of one owner; written once. All but wallets have first = last.
CREATE TABLE account (
  first      uuid NOT NULL,
  last       uuid NOT NULL,
  shard      smallint NOT NULL,
  owner_kind text COLLATE "C" NOT NULL,
  owner      uuid NOT NULL,
  project    uuid NOT NULL,
  currency   char(3) NOT NULL,
  role       text COLLATE "C" NOT NULL,
  PRIMARY KEY (first)
);

-- Money moved, by the owner of the debited account. Append-only, kept for ever. purpose is
-- hash(debited entity, why, caller's id) with line 0, or a pay list with its line numbers.
CREATE TABLE transfer (
  purpose      uuid NOT NULL,
  line         integer NOT NULL,
  debit        uuid NOT NULL,
  credit       uuid NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency     char(3) NOT NULL,
  shard        smallint NOT NULL,
  position     bigint NOT NULL,
  PRIMARY KEY (purpose, line)
);

-- What each owner knows of its own balances, written with its commits.
CREATE TABLE owned_total (
  kind         text COLLATE "C" NOT NULL,
  entity       uuid NOT NULL,
  currency     char(3) NOT NULL,
  shard        smallint NOT NULL,
  seq          bigint NOT NULL,
  amount_minor bigint NOT NULL,
  PRIMARY KEY (entity, kind, currency)
) WITH (fillfactor = 70);

-- What a locked disbursement promises to each household; never updated, a line's state derives from
-- its chunk.
CREATE TABLE line (
  list         uuid NOT NULL,
  no           integer NOT NULL,
  person       uuid NOT NULL,
  wallet       uuid NOT NULL,
  batch        uuid NOT NULL,
  amount_minor bigint NOT NULL,
  PRIMARY KEY (list, no)
);

-- Households of an upload, personal fields sealed.
CREATE TABLE upload_row (
  upload       uuid NOT NULL,
  ordinal      integer NOT NULL,
  row_no       integer NOT NULL,
  person       uuid NOT NULL,
  amount_minor bigint NOT NULL,
  sealed       bytea NOT NULL,
  PRIMARY KEY (upload, ordinal)
);
CREATE TABLE upload_error (
  upload  uuid NOT NULL,
  n       bigint GENERATED ALWAYS AS IDENTITY,
  row_no  integer NOT NULL,
  field   text NOT NULL,
  message text NOT NULL,
  PRIMARY KEY (upload, row_no, n)
);

-- One key a staged row, under the master key; deleting it erases the person from every copy.
CREATE TABLE person_key (
  upload      uuid NOT NULL,
  ordinal     integer NOT NULL,
  person      uuid NOT NULL,
  wrapped_key bytea NOT NULL,
  PRIMARY KEY (upload, ordinal)
);

CREATE TABLE outbox (
  source_kind text COLLATE "C" NOT NULL,
  source      uuid NOT NULL,
  target_kind text COLLATE "C" NOT NULL,
  target      uuid NOT NULL,
  n           bigint NOT NULL,
  shard       smallint NOT NULL, -- of the source
  at_us       bigint NOT NULL,
  body        bytea NOT NULL,
  PRIMARY KEY (source, target, n, source_kind, target_kind)
);
CREATE INDEX outbox_shard ON outbox (shard, at_us);

CREATE TABLE timer (
  kind   text COLLATE "C" NOT NULL,
  entity uuid NOT NULL,
  name   text COLLATE "C" NOT NULL,
  shard  smallint NOT NULL,
  due_us bigint NOT NULL,
  PRIMARY KEY (entity, name, kind)
);
CREATE INDEX timer_shard ON timer (shard, due_us);

-- Answers of client requests, by the day on which they came; days older than seven are dropped.
CREATE TABLE request (
  day          date NOT NULL,
  id           uuid NOT NULL,
  kind         text COLLATE "C" NOT NULL,
  entity       uuid NOT NULL,
  payload_hash bigint NOT NULL,
  shard        smallint NOT NULL,
  position     bigint NOT NULL,
  reply        bytea NOT NULL, -- empty while the answer is pending
  PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);

-- One document an entity (or published entry), for lists.
CREATE TABLE query (
  kind       text COLLATE "C" NOT NULL,
  id         uuid NOT NULL,
  shard      smallint NOT NULL,
  seq        bigint NOT NULL,
  project    uuid NOT NULL,
  parent     uuid NOT NULL,
  status     text COLLATE "C" NOT NULL,
  created_us bigint NOT NULL,
  doc        jsonb NOT NULL,
  PRIMARY KEY (id, kind)
) WITH (fillfactor = 70);
CREATE INDEX query_newest ON query (kind, created_us, id);
CREATE INDEX query_project ON query (kind, project, created_us, id);
CREATE INDEX query_parent ON query (kind, parent, created_us, id);

-- What cannot go on without an operator.
CREATE TABLE parked (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind   text COLLATE "C" NOT NULL,
  entity uuid NOT NULL,
  shard  smallint NOT NULL,
  reason text NOT NULL,
  body   bytea NOT NULL,
  tries  integer NOT NULL,
  at_us  bigint NOT NULL
);

-- Access tokens, as SHA-256 only.
CREATE TABLE token (
  hash       bytea PRIMARY KEY,
  user_name  text NOT NULL,
  role       text NOT NULL,
  created_us bigint NOT NULL,
  revoked_us bigint
);

-- Where the auditor stands: journal rows up to position have been folded into its sums.
CREATE TABLE audit_watermark (
  shard    smallint PRIMARY KEY,
  position bigint NOT NULL
);
INSERT INTO audit_watermark SELECT generate_series(0, 255), 0;

-- Sums that the auditor derives from transfers alone, to compare with owned_total.
CREATE TABLE audit_sum (
  kind         text COLLATE "C" NOT NULL,
  entity       uuid NOT NULL,
  currency     char(3) NOT NULL,
  amount_minor bigint NOT NULL,
  PRIMARY KEY (entity, kind, currency)
);
