-- Neither index holds the state any more: a row that moves from one open state to another leaves them alone.

DROP INDEX agents_alive;
CREATE INDEX agents_alive ON agents (run) WHERE state NOT IN ('completed', 'failed', 'cancelled');

DROP INDEX jobs_open;
CREATE INDEX jobs_open ON jobs (run, id) WHERE state NOT IN ('done', 'cancelled');
