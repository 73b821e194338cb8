-- Indexes that serve lists of promotions, and what else came later. They are no part of the schema's version: a journal that lacks
-- one gets it at the start, and any version of promotiond keeps those that are there.
-- sequence is every index's last column, given or not, so that rows come newest first without a sort.

CREATE INDEX IF NOT EXISTS promotion_by_pipeline ON promotion (pipeline, sequence);
CREATE INDEX IF NOT EXISTS promotion_by_environment ON promotion (environment, sequence);
CREATE INDEX IF NOT EXISTS promotion_by_phase ON promotion (phase, sequence);
CREATE INDEX IF NOT EXISTS promotion_unfinished ON promotion (sequence)
    WHERE phase IN ('Queued','AwaitingApproval','Running','Pending');

-- Ids of promotions that retention removed: no id is ever given twice.
CREATE TABLE IF NOT EXISTS removed (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
