-- Columns have the names of the domain's properties, so that a row needs no mapping. `n` is the order of insertion.
-- Short columns come first: what comes after a long text costs a walk through its pages.
-- References are checked at the commit: the rows of one transaction may point at one another. Write those first that
-- others point at, all the same: while a reference points at nothing, each insert looks through all that may point at it.

CREATE TABLE meta (
  key TEXT NOT NULL PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  key TEXT UNIQUE,
  task TEXT NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('planning', 'running', 'completed', 'answered', 'nothing', 'partial', 'failed', 'cancelled')),
  options TEXT NOT NULL CHECK (json_valid(options)),
  server TEXT NOT NULL GENERATED ALWAYS AS (options ->> '$.server') STORED,
  concurrency INTEGER NOT NULL GENERATED ALWAYS AS (options ->> '$.concurrency') STORED,
  baseBranch TEXT,
  baseCommit TEXT NOT NULL,
  branch TEXT NOT NULL,
  headCommit TEXT NOT NULL,
  cancelRequested TEXT NOT NULL CHECK (cancelRequested IN ('no', 'wrap-up', 'abort')),
  report TEXT,
  error TEXT,
  review TEXT NOT NULL CHECK (review IN ('none', 'open', 'landed', 'discarded')),
  createdAt INTEGER NOT NULL,
  endedAt INTEGER
) STRICT;
CREATE INDEX runs_active ON runs (n) WHERE state IN ('planning', 'running');

CREATE TABLE plans (
  run TEXT NOT NULL PRIMARY KEY REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  body TEXT NOT NULL CHECK (json_valid(body))
) STRICT;

CREATE TABLE agents (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  run TEXT NOT NULL REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  parent TEXT REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED,
  -- Of steps, which points back: a circle of references would make the first of the two point at nothing.
  step TEXT,
  depth INTEGER NOT NULL CHECK (depth >= 1),
  state TEXT NOT NULL
    CHECK (state IN ('pending', 'ready', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled')),
  tier TEXT NOT NULL,
  role TEXT NOT NULL,
  temperature REAL NOT NULL,
  branch TEXT NOT NULL,
  baseCommit TEXT,
  headCommit TEXT,
  endReason TEXT,
  wrapUp INTEGER NOT NULL DEFAULT 0 CHECK (wrapUp IN (0, 1)),
  compactedBefore INTEGER NOT NULL DEFAULT 0,
  createdAt INTEGER NOT NULL,
  startedAt INTEGER,
  endedAt INTEGER,
  name TEXT NOT NULL,
  action TEXT NOT NULL DEFAULT '',
  task TEXT NOT NULL,
  report TEXT,
  error TEXT
) STRICT;
CREATE INDEX agents_of_run ON agents (run, depth);
CREATE INDEX agents_of_parent ON agents (parent) WHERE parent IS NOT NULL;
CREATE INDEX agents_alive ON agents (run, state) WHERE state NOT IN ('completed', 'failed', 'cancelled');

CREATE TABLE steps (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  run TEXT NOT NULL REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  key TEXT NOT NULL,
  agent TEXT NOT NULL REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED,
  state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'merging', 'done', 'failed', 'skipped')),
  title TEXT NOT NULL,
  task TEXT NOT NULL,
  role TEXT NOT NULL,
  tier TEXT NOT NULL,
  toleratesFailure INTEGER NOT NULL CHECK (toleratesFailure IN (0, 1)),
  parent TEXT,
  weight REAL NOT NULL CHECK (weight > 0),
  temperature REAL NOT NULL,
  UNIQUE (run, key)
) STRICT;

CREATE TABLE step_needs (
  step TEXT NOT NULL REFERENCES steps (id) DEFERRABLE INITIALLY DEFERRED,
  place INTEGER NOT NULL,
  need TEXT NOT NULL REFERENCES steps (id) DEFERRABLE INITIALLY DEFERRED,
  PRIMARY KEY (step, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX step_needs_of_need ON step_needs (need);

CREATE TABLE jobs (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  run TEXT NOT NULL REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  agent TEXT REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED,
  -- Who works on one job at a time.
  owner TEXT NOT NULL GENERATED ALWAYS AS (coalesce(agent, run)) STORED,
  kind TEXT NOT NULL,
  source TEXT REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'parked', 'cancelled')),
  priority TEXT NOT NULL CHECK (priority IN ('person', 'review', 'critical', 'batch')),
  -- Of its priority and age, fixed when it was first queued; see orderKey in domain/policy.ts.
  orderKey INTEGER NOT NULL,
  prefix TEXT NOT NULL,
  runAt INTEGER NOT NULL,
  -- 1: runAt has come. Each claim brings this up to date first, so that jobs which back off cost a claim nothing.
  due INTEGER NOT NULL CHECK (due IN (0, 1)),
  queuedAt INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  error TEXT,
  epoch INTEGER NOT NULL DEFAULT 0,
  -- Unlike attempts these are never taken back.
  claims INTEGER NOT NULL DEFAULT 0,
  leaseUntil INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX jobs_queue ON jobs (kind, run, orderKey) WHERE state = 'queued' AND due = 1;
CREATE INDEX jobs_queue_by_prefix ON jobs (kind, run, orderKey, prefix) WHERE state = 'queued' AND due = 1;
CREATE INDEX jobs_later ON jobs (runAt) WHERE state = 'queued' AND due = 0;
CREATE INDEX jobs_running ON jobs (run, owner, kind) WHERE state = 'running';
CREATE INDEX jobs_open ON jobs (run, id, state) WHERE state NOT IN ('done', 'cancelled');
CREATE INDEX jobs_of_agent ON jobs (agent) WHERE agent IS NOT NULL;

CREATE TABLE turns (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  agent TEXT NOT NULL REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED,
  job TEXT NOT NULL REFERENCES jobs (id) DEFERRABLE INITIALLY DEFERRED,
  seq INTEGER NOT NULL CHECK (seq >= 1),
  kind TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('calling', 'answered', 'done', 'dropped')),
  reserved INTEGER NOT NULL CHECK (reserved >= 0),
  "commit" TEXT,
  startedAt INTEGER NOT NULL,
  endedAt INTEGER,
  usage TEXT,
  sent INTEGER GENERATED ALWAYS AS (usage ->> '$.prompt') STORED,
  cached INTEGER GENERATED ALWAYS AS (usage ->> '$.cached') STORED,
  timings TEXT,
  answer TEXT
) STRICT;
CREATE UNIQUE INDEX turns_of_agent ON turns (agent, seq) WHERE state <> 'dropped';
CREATE UNIQUE INDEX turns_open ON turns (agent) WHERE state IN ('calling', 'answered');

CREATE TABLE calls (
  turn TEXT NOT NULL REFERENCES turns (id) DEFERRABLE INITIALLY DEFERRED,
  ordinal INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('done', 'waiting')),
  waitsFor TEXT,
  ok INTEGER NOT NULL CHECK (ok IN (0, 1)),
  callId TEXT NOT NULL,
  tool TEXT NOT NULL,
  arguments TEXT NOT NULL,
  output TEXT NOT NULL,
  PRIMARY KEY (turn, ordinal)
) STRICT;
CREATE INDEX calls_waiting ON calls (waitsFor, turn) WHERE state = 'waiting';

CREATE TABLE messages (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  run TEXT NOT NULL REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  "to" TEXT NOT NULL REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED,
  "from" TEXT NOT NULL,
  kind TEXT NOT NULL,
  priority INTEGER NOT NULL,
  createdAt INTEGER NOT NULL,
  turn TEXT REFERENCES turns (id) DEFERRABLE INITIALLY DEFERRED,
  -- Order of delivery within the turn.
  place INTEGER,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX messages_inbox ON messages ("to", priority DESC, n) WHERE turn IS NULL;
CREATE INDEX messages_delivered ON messages (turn, place) WHERE turn IS NOT NULL;

CREATE TABLE accounts (
  id TEXT NOT NULL PRIMARY KEY,
  run TEXT NOT NULL REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  available INTEGER NOT NULL CHECK (available >= 0),
  reserved INTEGER NOT NULL CHECK (reserved >= 0),
  used INTEGER NOT NULL CHECK (used >= 0),
  granted INTEGER NOT NULL CHECK (granted >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX accounts_of_run ON accounts (run);

CREATE TABLE ledger (
  id INTEGER PRIMARY KEY,
  run TEXT NOT NULL REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  kind TEXT NOT NULL CHECK (kind IN ('open', 'grant', 'reserve', 'settle', 'release', 'reclaim')),
  "from" TEXT NOT NULL,
  "to" TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount >= 0),
  turn TEXT,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_of_run ON ledger (run);
CREATE INDEX ledger_of_turn ON ledger (turn) WHERE turn IS NOT NULL;

CREATE TABLE worktrees (
  agent TEXT NOT NULL PRIMARY KEY REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED,
  run TEXT NOT NULL REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  path TEXT NOT NULL,
  admin TEXT NOT NULL,
  branch TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'kept', 'trash', 'gone')),
  reason TEXT
) STRICT;
CREATE INDEX worktrees_of_run ON worktrees (run);

CREATE TABLE observations (
  n INTEGER PRIMARY KEY,
  run TEXT NOT NULL REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  agent TEXT REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED,
  role TEXT NOT NULL,
  tier TEXT NOT NULL,
  pattern TEXT NOT NULL,
  tokens INTEGER NOT NULL,
  wallMs REAL NOT NULL,
  turns INTEGER NOT NULL,
  ok INTEGER NOT NULL CHECK (ok IN (0, 1)),
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX observations_of_role ON observations (role, tier);

CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  run TEXT,
  agent TEXT,
  type TEXT NOT NULL,
  -- What the type adds, as JSON.
  body TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_run ON events (run);
