-- Foreign keys are off while a migration runs and checked at its end: tables whose rules change are made anew.

CREATE TABLE new_runs (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  key TEXT UNIQUE,
  task TEXT NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('planning', 'planned', 'running', 'completed', 'answered', 'nothing', 'partial', 'failed', 'cancelled')),
  options TEXT NOT NULL CHECK (json_valid(options)),
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
INSERT INTO new_runs (n, id, key, task, state, options, baseBranch, baseCommit, branch, headCommit, cancelRequested, report,
                      error, review, createdAt, endedAt)
  SELECT n, id, key, task, state, options, baseBranch, baseCommit, branch, headCommit, cancelRequested, report,
         error, review, createdAt, endedAt FROM runs;
DROP TABLE runs;
ALTER TABLE new_runs RENAME TO runs;
CREATE INDEX runs_active ON runs (n) WHERE state IN ('planning', 'planned', 'running');

CREATE TABLE new_plans (
  run TEXT NOT NULL PRIMARY KEY REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  pattern TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.pattern') STORED,
  complexity TEXT NOT NULL GENERATED ALWAYS AS (coalesce(body ->> '$.complexity.level', '')) STORED,
  body TEXT NOT NULL CHECK (json_valid(body))
) STRICT;
INSERT INTO new_plans (run, body) SELECT run, body FROM plans;
DROP TABLE plans;
ALTER TABLE new_plans RENAME TO plans;

ALTER TABLE agents ADD COLUMN server TEXT;
ALTER TABLE agents ADD COLUMN model TEXT;
ALTER TABLE agents ADD COLUMN permissions TEXT CHECK (json_valid(permissions));
ALTER TABLE agents ADD COLUMN skills TEXT CHECK (json_valid(skills));
ALTER TABLE agents ADD COLUMN startCommit TEXT;
ALTER TABLE agents ADD COLUMN wrapUpWhy TEXT;
ALTER TABLE agents ADD COLUMN timeoutMs INTEGER;
ALTER TABLE agents ADD COLUMN urgency INTEGER NOT NULL DEFAULT 0;
-- When its time is over, ms; set by its first turn.
ALTER TABLE agents ADD COLUMN deadline INTEGER;
CREATE INDEX agents_deadline ON agents (deadline)
  WHERE deadline IS NOT NULL AND state NOT IN ('completed', 'failed', 'cancelled');

CREATE TABLE new_steps (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  run TEXT NOT NULL REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  key TEXT NOT NULL,
  agent TEXT NOT NULL REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED,
  state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'merging', 'done', 'failed', 'skipped', 'omitted')),
  tier TEXT NOT NULL,
  toleratesFailure INTEGER NOT NULL CHECK (toleratesFailure IN (0, 1)),
  parent TEXT,
  weight REAL NOT NULL CHECK (weight > 0),
  temperature REAL NOT NULL,
  -- Agents that have tried so far.
  attempt INTEGER NOT NULL DEFAULT 1 CHECK (attempt >= 1),
  withinMs INTEGER GENERATED ALWAYS AS (spec ->> '$.join.withinMs') STORED,
  -- When it starts with what there is, ms; set when the first of its needs begins.
  deadline INTEGER,
  title TEXT NOT NULL,
  role TEXT NOT NULL,
  task TEXT NOT NULL,
  -- What a step may say and need not.
  spec TEXT CHECK (json_valid(spec)),
  UNIQUE (run, key)
) STRICT;
INSERT INTO new_steps (n, id, run, key, agent, state, tier, toleratesFailure, parent, weight, temperature, title, role, task)
  SELECT n, id, run, key, agent, state, tier, toleratesFailure, parent, weight, temperature, title, role, task FROM steps;
DROP TABLE steps;
ALTER TABLE new_steps RENAME TO steps;
CREATE INDEX steps_deadline ON steps (deadline) WHERE deadline IS NOT NULL AND state = 'pending';

-- Where a turn is asked for; empty for whatever asks no server.
ALTER TABLE jobs ADD COLUMN server TEXT NOT NULL DEFAULT '';
UPDATE jobs SET server = (SELECT options ->> '$.server' FROM runs WHERE runs.id = jobs.run) WHERE kind = 'turn';
DROP INDEX jobs_queue;
DROP INDEX jobs_queue_by_prefix;
CREATE INDEX jobs_queue ON jobs (kind, server, run, orderKey) WHERE state = 'queued' AND due = 1;
CREATE INDEX jobs_queue_by_prefix ON jobs (kind, server, run, orderKey, prefix) WHERE state = 'queued' AND due = 1;

ALTER TABLE observations ADD COLUMN complexity TEXT NOT NULL DEFAULT '';

-- How what a step did is taken back; written before it does anything.
CREATE TABLE undos (
  n INTEGER PRIMARY KEY,
  run TEXT NOT NULL REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  step TEXT NOT NULL REFERENCES steps (id) DEFERRABLE INITIALLY DEFERRED,
  -- Whose work it takes back: one of the step's attempts.
  agent TEXT NOT NULL UNIQUE REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED,
  -- The highest is undone first.
  position INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('revert', 'command', 'agent', 'none')),
  payload TEXT NOT NULL CHECK (json_valid(payload)),
  state TEXT NOT NULL CHECK (state IN ('recorded', 'running', 'done', 'failed', 'impossible')),
  -- The agent that takes it back, if it needs one.
  worker TEXT REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED,
  result TEXT,
  recordedAt INTEGER NOT NULL,
  endedAt INTEGER,
  UNIQUE (run, position)
) STRICT;
CREATE INDEX undos_of_worker ON undos (worker) WHERE worker IS NOT NULL;

CREATE TABLE plan_cache (
  key TEXT NOT NULL PRIMARY KEY,
  createdAt INTEGER NOT NULL,
  plan TEXT NOT NULL CHECK (json_valid(plan))
) STRICT, WITHOUT ROWID;
CREATE INDEX plan_cache_by_age ON plan_cache (createdAt);

CREATE TABLE forecasts (
  run TEXT NOT NULL PRIMARY KEY REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED,
  at INTEGER NOT NULL,
  forecast TEXT NOT NULL CHECK (json_valid(forecast)),
  actual TEXT CHECK (json_valid(actual))
) STRICT, WITHOUT ROWID;
CREATE INDEX forecasts_by_age ON forecasts (at);
