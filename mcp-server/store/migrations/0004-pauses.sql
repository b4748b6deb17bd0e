-- That a person wants the agent to take no further turn: it alone, or with all that is and will be below it.
ALTER TABLE agents ADD COLUMN pause TEXT CHECK (pause IN ('alone', 'below'));
-- Since when it is paused, ms: its time does not run meanwhile.
ALTER TABLE agents ADD COLUMN pausedAt INTEGER;
CREATE INDEX agents_pause ON agents (run) WHERE pause IS NOT NULL;

-- Since when the whole run is to pause, ms.
ALTER TABLE runs ADD COLUMN pausedAt INTEGER;
