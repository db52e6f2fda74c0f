-- The stable kind of a step's error, beside its words; empty where there is none, and for steps that failed before this was kept.
ALTER TABLE plan_steps ADD COLUMN code TEXT NOT NULL DEFAULT '';
