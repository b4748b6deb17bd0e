-- One index for the queue: the first of a prefix is found in it as quickly as in one of its own, and each job is written
-- into one tree less, twice.
DROP INDEX jobs_queue;
DROP INDEX jobs_queue_by_prefix;
CREATE INDEX jobs_queue ON jobs (kind, server, run, orderKey, prefix) WHERE state = 'queued' AND due = 1;

-- In the order in which jobs were made, so that neighbours leave it together.
DROP INDEX jobs_open;
CREATE INDEX jobs_open ON jobs (run) WHERE state NOT IN ('done', 'cancelled');
