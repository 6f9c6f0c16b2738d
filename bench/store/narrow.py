"""The schema's sixth step: what a board asks for, said once a cell in place of once a training.

A board of 120,000 trainings under eight refiners held a million rows that said which evaluation it
wants, with a key of 64 letters each. Here a *variant* is a refiner with its parameters and source,
a cell names the variants that it is evaluated under, and scores lie in an index of their own, so
that one refiner of a board is read in one pass over a few megabytes.
"""

from __future__ import annotations

NARROW = """
CREATE TABLE variants (           -- a refiner with its parameters and its source
  variant INTEGER PRIMARY KEY,
  refiner TEXT NOT NULL,
  params TEXT NOT NULL,           -- JSON
  source_sha TEXT NOT NULL,
  UNIQUE (refiner, params, source_sha)
) STRICT;

CREATE TABLE board_cells (        -- what may be ranked: a cell under the names the suite shows
  board TEXT NOT NULL REFERENCES boards ON DELETE CASCADE,
  cell INTEGER NOT NULL,          -- in the order of the plan
  dataset TEXT NOT NULL,
  noise TEXT NOT NULL,
  noise_params TEXT NOT NULL,     -- JSON with the noise's name
  method TEXT NOT NULL,
  PRIMARY KEY (board, cell)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX board_cells_by_name ON board_cells (board, method, dataset, noise);

CREATE TABLE board_members (      -- what the suite asks for, done or not
  board TEXT NOT NULL,
  cell INTEGER NOT NULL,
  position INTEGER NOT NULL,      -- in the order of the plan
  training_id INTEGER NOT NULL REFERENCES trainings,
  seed INTEGER NOT NULL,
  PRIMARY KEY (board, cell, position),
  FOREIGN KEY (board, cell) REFERENCES board_cells ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX board_members_by_training ON board_members (training_id);

CREATE TABLE cell_variants (      -- under which refiners
  board TEXT NOT NULL,
  refiner TEXT NOT NULL,          -- as the suite shows it
  cell INTEGER NOT NULL,
  variant INTEGER NOT NULL REFERENCES variants,
  PRIMARY KEY (board, refiner, cell),
  FOREIGN KEY (board, cell) REFERENCES board_cells ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX cell_variants_by_cell ON cell_variants (board, cell);

INSERT INTO variants (refiner, params, source_sha)
SELECT DISTINCT refiner, params, source_sha FROM evaluations ORDER BY refiner, params, source_sha;

INSERT INTO board_cells
SELECT board, row_number() OVER (PARTITION BY board ORDER BY min(position)) - 1,
  dataset, noise, min(noise_params), method
FROM board_trainings GROUP BY board, dataset, noise, method;

INSERT INTO board_members
SELECT bt.board, bc.cell, bt.position, bt.training_id, t.seed
FROM board_trainings bt
JOIN board_cells bc ON bc.board = bt.board AND bc.dataset = bt.dataset AND bc.noise = bt.noise
  AND bc.method = bt.method
JOIN trainings t ON t.id = bt.training_id;

CREATE TABLE cell_of (board TEXT, position INTEGER, cell INTEGER, PRIMARY KEY (board, position))
  WITHOUT ROWID;
INSERT INTO cell_of SELECT board, position, cell FROM board_members;

-- A refiner that a board asks for and no training of it has yet is known again when the suite is
-- next planned, which every run does first.
INSERT OR REPLACE INTO cell_variants
SELECT be.board, be.refiner, bm.cell, v.variant
FROM board_evaluations be
JOIN cell_of bm ON bm.board = be.board AND bm.position = be.position
JOIN evaluations e ON e.evaluation_key = be.evaluation_key
JOIN variants v ON v.refiner = e.refiner AND v.params = e.params AND v.source_sha = e.source_sha;

INSERT OR IGNORE INTO cell_variants
SELECT DISTINCT be.board, be.refiner, bm.cell, known.variant
FROM board_evaluations be
JOIN cell_of bm ON bm.board = be.board AND bm.position = be.position
JOIN (SELECT board, refiner, max(variant) AS variant FROM cell_variants GROUP BY board, refiner)
  known ON known.board = be.board AND known.refiner = be.refiner;

DROP TABLE cell_of;
DROP VIEW gains;
DROP VIEW leaderboard;
DROP VIEW results;
DROP VIEW coverage;
DROP VIEW training_status;
DROP TABLE board_evaluations;
DROP TABLE board_trainings;

CREATE TABLE scored (
  training_id INTEGER NOT NULL REFERENCES trainings,
  variant INTEGER NOT NULL REFERENCES variants,
  evaluation_key TEXT NOT NULL,
  test_accuracy REAL,             -- NULL exactly when there is an error
  noisy_val_accuracy REAL,
  k INTEGER,
  rank INTEGER NOT NULL,
  wall_s REAL NOT NULL,
  curve TEXT NOT NULL,            -- JSON: [[k, noisy validation, test], ...], 7 digits
  error TEXT NOT NULL,
  PRIMARY KEY (training_id, variant),
  CHECK ((test_accuracy IS NULL) = (error <> ''))
) STRICT, WITHOUT ROWID;
INSERT OR REPLACE INTO scored
SELECT e.training_id, v.variant, e.evaluation_key, e.test_accuracy, e.noisy_val_accuracy, e.k,
  e.rank, e.wall_s, e.curve, e.error
FROM evaluations e
JOIN variants v ON v.refiner = e.refiner AND v.params = e.params AND v.source_sha = e.source_sha
ORDER BY e.training_id, v.variant;
DROP TABLE evaluations;
ALTER TABLE scored RENAME TO evaluations;
CREATE INDEX evaluations_by_variant
  ON evaluations (variant, training_id, test_accuracy, noisy_val_accuracy, k, rank);
CREATE INDEX evaluations_refused ON evaluations (training_id) WHERE test_accuracy IS NULL;
CREATE INDEX attempts_by_start ON attempts (started_at);
CREATE INDEX attempts_by_status ON attempts (training_id, status, attempt);
"""

NARROW_VIEWS = """
CREATE VIEW training_status AS
SELECT t.id AS training_id, t.training_key,
  CASE
    WHEN max(a.status = 'done') THEN 'done'
    WHEN count(a.attempt) THEN (
      SELECT status FROM attempts WHERE training_id = t.id ORDER BY attempt DESC LIMIT 1)
    ELSE 'missing'
  END AS status,
  count(a.attempt) AS attempts
FROM trainings t LEFT JOIN attempts a ON a.training_id = t.id
GROUP BY t.id;

CREATE VIEW board_trainings AS    -- a row a training that a board asks for, under its names
SELECT bm.board, bm.position, bm.training_id, bc.dataset, bc.noise, bc.noise_params, bc.method,
  bm.seed, bm.cell
FROM board_members bm JOIN board_cells bc ON bc.board = bm.board AND bc.cell = bm.cell;

CREATE VIEW board_evaluations AS  -- what every training is to be evaluated under
SELECT bm.board, bm.position, bm.training_id, cv.refiner, cv.variant, e.evaluation_key
FROM board_members bm
JOIN cell_variants cv ON cv.board = bm.board AND cv.cell = bm.cell
LEFT JOIN evaluations e ON e.variant = cv.variant AND e.training_id = bm.training_id;

CREATE VIEW results AS            -- one row a training and refiner of a board, done ones only
SELECT bm.board, bc.dataset, bc.noise, bc.method, bm.seed, cv.refiner,
  e.test_accuracy, e.noisy_val_accuracy, e.k, e.rank, e.curve, e.error,
  t.training_key, bm.training_id, bm.cell
FROM cell_variants cv
JOIN board_cells bc ON bc.board = cv.board AND bc.cell = cv.cell
JOIN board_members bm ON bm.board = cv.board AND bm.cell = cv.cell
JOIN evaluations e ON e.variant = cv.variant AND e.training_id = bm.training_id
LEFT JOIN trainings t ON t.id = bm.training_id;  -- not looked up unless its key is asked for

CREATE VIEW leaderboard AS        -- seeds averaged inside a cell
SELECT board, dataset, noise, method, refiner,
  count(test_accuracy) AS seeds, avg(test_accuracy) AS test_accuracy,
  min(test_accuracy) AS lowest, max(test_accuracy) AS highest
FROM results
GROUP BY board, cell, refiner;

CREATE VIEW gains AS              -- paired: the same trained weights with and without
SELECT on_.board, on_.dataset, on_.noise, on_.method, on_.refiner, on_.seed,
  on_.test_accuracy - off_.test_accuracy AS gain,
  off_.test_accuracy AS off_accuracy, on_.test_accuracy AS on_accuracy
FROM results on_
JOIN cell_variants off_variant
  ON off_variant.board = on_.board AND off_variant.cell = on_.cell AND off_variant.refiner = 'off'
JOIN evaluations off_
  ON off_.variant = off_variant.variant AND off_.training_id = on_.training_id
WHERE on_.refiner <> 'off';

CREATE VIEW coverage AS
SELECT bt.board, bt.dataset, bt.noise, bt.method, s.status, count(*) AS trainings
FROM board_trainings bt JOIN training_status s ON s.training_id = bt.training_id
GROUP BY bt.board, bt.cell, s.status;
"""
