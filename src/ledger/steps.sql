-- How far the training step of the epoch has come; NULL if it was never started.
ALTER TABLE epochs ADD COLUMN step TEXT CHECK (step IN ('started', 'succeeded'));
