"""The results database, as migrations: each runs in one transaction and is never edited later.

Words are those of the design: a *board* is what may be ranked together (suite, budget, protocol,
data sets); an *attempt* is one try at a training; only an attempt with status ``done`` has results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils.migrations import Migrations

from bench.store.conflicts import CONFLICTS
from bench.store.narrow import NARROW, NARROW_VIEWS

if TYPE_CHECKING:
    from sqlite_utils import Database

migrations = Migrations("lipbench")

TABLES = """
CREATE TABLE datasets (
  fingerprint TEXT PRIMARY KEY,   -- sha256 of the arrays
  name TEXT NOT NULL,
  label TEXT NOT NULL,            -- the name, with sizes and fingerprint where it is a subset
  n_train INTEGER NOT NULL,
  n_test INTEGER NOT NULL,
  class_names TEXT NOT NULL,      -- JSON list
  shape TEXT NOT NULL,            -- JSON list, channels first
  is_full INTEGER NOT NULL CHECK (is_full IN (0, 1))
) STRICT;

CREATE TABLE artefacts (          -- realised wrong labels
  artefact_sha TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL REFERENCES datasets,
  realised_rate REAL NOT NULL,    -- share of wrong labels
  matrix TEXT NOT NULL,           -- JSON, rows are true classes and sum to 1
  nominal TEXT,                   -- JSON, the matrix that was asked for
  labels BLOB NOT NULL            -- zlib of little-endian int32
) STRICT;

CREATE TABLE protocols (
  protocol_sha TEXT PRIMARY KEY,
  protocol TEXT NOT NULL          -- JSON
) STRICT;

CREATE TABLE plugins (            -- methods and refiners as they declared themselves
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  source_sha TEXT NOT NULL,
  summary TEXT NOT NULL,
  paper TEXT NOT NULL,
  declared TEXT NOT NULL,         -- JSON: knows, uses, cost, family, ...
  PRIMARY KEY (kind, name, source_sha)
) STRICT, WITHOUT ROWID;

CREATE TABLE environments (
  environment_sha TEXT PRIMARY KEY,
  git_commit TEXT NOT NULL,
  git_dirty INTEGER NOT NULL,
  python TEXT NOT NULL,
  platform TEXT NOT NULL,
  cpu TEXT NOT NULL,
  cores INTEGER NOT NULL,
  accelerator TEXT NOT NULL,
  packages TEXT NOT NULL          -- JSON: name -> version
) STRICT;

CREATE TABLE trainings (
  id INTEGER PRIMARY KEY,
  training_key TEXT NOT NULL UNIQUE,
  fingerprint TEXT NOT NULL REFERENCES datasets,
  artefact_sha TEXT NOT NULL REFERENCES artefacts,
  protocol_sha TEXT NOT NULL REFERENCES protocols,
  method TEXT NOT NULL,
  method_params TEXT NOT NULL,    -- JSON, all of them
  method_source_sha TEXT NOT NULL,
  seed INTEGER NOT NULL,
  spec TEXT NOT NULL              -- JSON of the specification without protocol and refiners
) STRICT;

CREATE TABLE attempts (
  training_id INTEGER NOT NULL REFERENCES trainings,
  attempt INTEGER NOT NULL,       -- from 1
  status TEXT NOT NULL,
  started_at TEXT NOT NULL,       -- UTC, ISO 8601
  wall_s REAL NOT NULL,
  train_s REAL,
  peak_memory_bytes INTEGER,
  samples INTEGER NOT NULL,
  n_parameters INTEGER,
  device TEXT NOT NULL,
  precision TEXT NOT NULL,
  threads INTEGER NOT NULL,
  environment_sha TEXT REFERENCES environments,
  error TEXT NOT NULL,
  traceback TEXT NOT NULL,
  log TEXT NOT NULL,              -- path from the database's folder
  PRIMARY KEY (training_id, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE epochs (
  training_id INTEGER NOT NULL REFERENCES trainings,
  epoch INTEGER NOT NULL,
  train_loss REAL,
  fit_given REAL,                 -- accuracy on training samples against the labels as given
  fit_true REAL,                  -- against the true labels
  noisy_val_accuracy REAL,
  test_accuracy REAL,
  lr REAL NOT NULL,
  wall_s REAL NOT NULL,
  PRIMARY KEY (training_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE selections (         -- one number a training under each selector, refiner off
  training_id INTEGER NOT NULL REFERENCES trainings,
  selector TEXT NOT NULL,         -- oracle-* used test labels and is never ranked
  epoch INTEGER NOT NULL,
  test_accuracy REAL NOT NULL,
  PRIMARY KEY (training_id, selector)
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluations (
  evaluation_key TEXT PRIMARY KEY,
  training_id INTEGER NOT NULL REFERENCES trainings,
  refiner TEXT NOT NULL,
  params TEXT NOT NULL,           -- JSON
  source_sha TEXT NOT NULL,
  test_accuracy REAL,             -- NULL exactly when there is an error
  noisy_val_accuracy REAL,
  k INTEGER,
  rank INTEGER NOT NULL,
  wall_s REAL NOT NULL,
  curve TEXT NOT NULL,            -- JSON: [[k, noisy validation, test], ...], 7 digits
  error TEXT NOT NULL,
  CHECK ((test_accuracy IS NULL) = (error <> ''))
) STRICT, WITHOUT ROWID;
CREATE INDEX evaluations_by_training ON evaluations (training_id);

CREATE TABLE spectra (
  training_id INTEGER NOT NULL REFERENCES trainings,
  head INTEGER NOT NULL,
  singular_values TEXT NOT NULL,  -- JSON list, descending
  effective_rank REAL NOT NULL,
  refitted TEXT NOT NULL,         -- JSON: refiner -> list
  PRIMARY KEY (training_id, head)
) STRICT, WITHOUT ROWID;

CREATE TABLE boards (
  board TEXT PRIMARY KEY,
  suite TEXT NOT NULL,
  budget TEXT NOT NULL,
  title TEXT NOT NULL,
  data TEXT NOT NULL,             -- data set labels, comma separated
  protocol_sha TEXT NOT NULL REFERENCES protocols,
  planned_at TEXT NOT NULL,
  spec TEXT NOT NULL              -- JSON of the suite at this budget
) STRICT, WITHOUT ROWID;

CREATE TABLE board_trainings (    -- what the suite asks for, done or not, under the names it shows
  board TEXT NOT NULL REFERENCES boards ON DELETE CASCADE,
  position INTEGER NOT NULL,
  training_id INTEGER NOT NULL REFERENCES trainings,
  dataset TEXT NOT NULL,
  noise TEXT NOT NULL,
  noise_params TEXT NOT NULL,     -- JSON with the noise's name
  method TEXT NOT NULL,
  PRIMARY KEY (board, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX board_trainings_by_training ON board_trainings (training_id);

CREATE TABLE board_evaluations (
  board TEXT NOT NULL,
  position INTEGER NOT NULL,
  refiner TEXT NOT NULL,
  evaluation_key TEXT NOT NULL,
  PRIMARY KEY (board, position, refiner),
  FOREIGN KEY (board, position) REFERENCES board_trainings ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE board_excluded (
  board TEXT NOT NULL REFERENCES boards ON DELETE CASCADE,
  dataset TEXT NOT NULL,
  noise TEXT NOT NULL,
  method TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;
"""

VIEWS = """
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

CREATE VIEW results AS            -- one row a training and refiner of a board, done ones only
SELECT bt.board, bt.dataset, bt.noise, bt.method, t.seed, be.refiner,
  e.test_accuracy, e.noisy_val_accuracy, e.k, e.rank, e.curve, e.error,
  t.training_key, bt.training_id
FROM board_trainings bt
JOIN trainings t ON t.id = bt.training_id
JOIN board_evaluations be ON be.board = bt.board AND be.position = bt.position
JOIN evaluations e ON e.evaluation_key = be.evaluation_key;

CREATE VIEW leaderboard AS        -- seeds averaged inside a cell
SELECT board, dataset, noise, method, refiner,
  count(test_accuracy) AS seeds, avg(test_accuracy) AS test_accuracy,
  min(test_accuracy) AS lowest, max(test_accuracy) AS highest
FROM results
GROUP BY board, dataset, noise, method, refiner;

CREATE VIEW gains AS              -- paired: the same trained weights with and without
SELECT on_.board, on_.dataset, on_.noise, on_.method, on_.refiner, on_.seed,
  on_.test_accuracy - off_.test_accuracy AS gain,
  off_.test_accuracy AS off_accuracy, on_.test_accuracy AS on_accuracy
FROM results on_
JOIN results off_
  ON off_.board = on_.board AND off_.training_id = on_.training_id
  AND off_.dataset = on_.dataset AND off_.noise = on_.noise AND off_.method = on_.method
WHERE off_.refiner = 'off' AND on_.refiner <> 'off';

CREATE VIEW coverage AS
SELECT bt.board, bt.dataset, bt.noise, bt.method, s.status, count(*) AS trainings
FROM board_trainings bt JOIN training_status s ON s.training_id = bt.training_id
GROUP BY bt.board, bt.dataset, bt.noise, bt.method, s.status;
"""

PUBLISHED = """
CREATE TABLE published (          -- figures of papers: beside ours, never among them
  figure TEXT NOT NULL,           -- sha256 of what the row says
  file TEXT NOT NULL,             -- name of the file that it came from
  line INTEGER NOT NULL,
  method TEXT NOT NULL,           -- in the words of the source, as all texts here
  dataset TEXT NOT NULL,
  noise TEXT NOT NULL,
  rate TEXT NOT NULL,             -- 0.5; 0.35+0.3 of two noises; empty where there is none
  backbone TEXT NOT NULL,
  epochs TEXT NOT NULL,           -- 200, 120-150, or words
  reported TEXT NOT NULL,         -- which epoch was reported, and over how many runs
  accuracy REAL NOT NULL CHECK (accuracy BETWEEN 0 AND 100),
  std REAL CHECK (std >= 0),
  source TEXT NOT NULL,
  verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
  verification TEXT NOT NULL,     -- where it was seen, or that it was recalled
  PRIMARY KEY (figure, file)
) STRICT, WITHOUT ROWID;
CREATE INDEX published_by_cell ON published (dataset, method, noise);
"""


@migrations()
def m001_results(db: Database) -> None:
    """All tables and views of the first release."""
    db.executescript(TABLES)
    db.executescript(VIEWS)


@migrations()
def m002_published(db: Database) -> None:
    """Published figures, as ``published import`` reads them."""
    db.executescript(PUBLISHED)


AUDIT = """
ALTER TABLE artefacts ADD COLUMN wrong REAL;
UPDATE artefacts SET wrong = realised_rate;
ALTER TABLE artefacts DROP COLUMN realised_rate;
ALTER TABLE artefacts RENAME COLUMN wrong TO realised_rate;   -- NULL where nobody knows the truth
ALTER TABLE artefacts ADD COLUMN true_given TEXT;
UPDATE artefacts SET true_given = matrix;
ALTER TABLE artefacts DROP COLUMN matrix;
ALTER TABLE artefacts RENAME COLUMN true_given TO matrix;     -- NULL where nobody knows the truth
ALTER TABLE artefacts ADD COLUMN open_rate REAL NOT NULL DEFAULT 0;  -- share of foreign inputs
ALTER TABLE artefacts ADD COLUMN candidates BLOB;  -- zlib of packed bits, (n, C), for sets
ALTER TABLE artefacts ADD COLUMN mean_set_size REAL;          -- of candidate sets
ALTER TABLE epochs ADD COLUMN approximated_accuracy REAL;     -- on held-out candidate sets

CREATE TABLE artefact_examples (  -- some wrongly labelled training images
  artefact_sha TEXT NOT NULL REFERENCES artefacts,
  position INTEGER NOT NULL,
  sample INTEGER NOT NULL,        -- canonical index
  true_label INTEGER,             -- NULL where nobody knows, or none of the classes is
  given_label INTEGER NOT NULL,
  is_foreign INTEGER NOT NULL CHECK (is_foreign IN (0, 1)),  -- shows none of the classes
  png BLOB NOT NULL,
  PRIMARY KEY (artefact_sha, position)
) STRICT, WITHOUT ROWID;
"""


@migrations()
def m003_audit(db: Database) -> None:
    """Labels whose truth nobody knows, candidate sets, foreign inputs, examples of wrong labels."""
    db.executescript(AUDIT)


SPECTRA = """
ALTER TABLE spectra ADD COLUMN right_vectors BLOB;  -- zlib of little-endian float32 (C, r)
ALTER TABLE spectra ADD COLUMN ridge TEXT;          -- JSON of RidgeTwins; NULL without true labels
"""


@migrations()
def m004_spectra(db: Database) -> None:
    """Right singular vectors of heads, and the ridge heads of given and true labels."""
    db.executescript(SPECTRA)


SELECTION = """
ALTER TABLE epochs ADD COLUMN selected_share REAL;       -- NULL where no selection was reported
ALTER TABLE epochs ADD COLUMN selection_precision REAL;  -- of the selected, rightly labelled
ALTER TABLE epochs ADD COLUMN selection_recall REAL;     -- of the rightly labelled, selected
"""


@migrations()
def m005_selection(db: Database) -> None:
    """Which samples a method learns from, against the true labels, by epoch."""
    db.executescript(SELECTION)


@migrations()
def m006_narrow(db: Database) -> None:
    """Boards name cells and variants of refiners; scores are read in one pass."""
    db.executescript(NARROW)
    db.executescript(NARROW_VIEWS)


@migrations()
def m007_conflicts(db: Database) -> None:
    """Results of other machines that differ from ours, kept beside them."""
    db.executescript(CONFLICTS)
