"""The audit of an artefact, against independent counts."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix
from training_sets import PlainTrainingSet, make_set

from bench.data.audit import EXAMPLES, audit, examples, png
from bench.data.noise import draw
from bench.report.noise_charts import caption, picture
from datasets.noise.asymmetric import Asymmetric
from datasets.noise.open_set import OpenSet
from datasets.noise.partial.noisy import PartialNoisy
from datasets.noise.partial.uniform import PartialUniform
from datasets.noise.real import Real
from datasets.noise.symmetric import Symmetric


def test_rates_and_matrix_are_those_of_the_labels(toy: PlainTrainingSet) -> None:
    noise = Symmetric(rate=0.4)
    artefact = draw(noise, toy, 0)
    found = audit(noise, artefact, toy, 0)
    oracle = confusion_matrix(toy.labels, artefact.labels, normalize="true")
    np.testing.assert_allclose(found.matrix, oracle)
    np.testing.assert_allclose(found.class_rates, 1 - np.diag(oracle))
    assert found.realised_rate == pytest.approx((artefact.labels != toy.labels).mean())
    assert found.given_counts.tolist() == np.bincount(artefact.labels).tolist()
    assert found.sha == artefact.sha


@pytest.mark.parametrize(
    ("convention", "nominal"), [("exclusive", 0.4), ("inclusive", 0.4 * (1 - 1 / 4))]
)
def test_the_nominal_rate_says_what_the_convention_really_asks_for(
    convention: str, nominal: float, toy: PlainTrainingSet
) -> None:
    noise = Symmetric(rate=0.4, convention=convention)
    found = audit(noise, draw(noise, toy, 0), toy, 0)
    assert found.nominal_rate == pytest.approx(nominal)


def test_the_nominal_rate_weighs_classes_by_their_samples() -> None:
    train = make_set(1000, 2)
    train.labels = (np.arange(1000) >= 900).astype(np.int64)
    noise = Asymmetric(rate=0.5, map={"b": "a"})
    assert audit(noise, draw(noise, train, 0), train, 0).nominal_rate == pytest.approx(0.05)


def test_the_other_convention_is_wrong_at_another_rate(toy: PlainTrainingSet) -> None:
    noise = Symmetric(rate=0.8)
    (other,) = audit(noise, draw(noise, toy, 0), toy, 0).disagreements
    assert other.convention == "inclusive"
    assert other.rate == pytest.approx(0.6, abs=0.05)
    assert other.share > 0.3


def test_named_maps_on_the_same_classes_are_each_others_other_convention() -> None:
    assert set(Asymmetric(map="superclass-next").conventions()) == {"fine-id-blocks"}
    assert Asymmetric(map="cifar10").conventions() == {}
    assert Asymmetric(map={"a": "b"}).conventions() == {}


def test_examples_are_wrongly_labelled_and_spread_over_classes(toy: PlainTrainingSet) -> None:
    artefact = draw(Symmetric(rate=0.3), toy, 0)
    found = examples(artefact, toy)
    assert len(found) == EXAMPLES
    assert {example.true for example in found} == {0, 1, 2, 3}
    for example in found:
        assert example.given == artefact.labels[example.sample]
        assert example.true == toy.labels[example.sample] != example.given
        image = np.asarray(Image.open(io.BytesIO(example.png)))
        np.testing.assert_array_equal(image, toy.inputs[example.sample, ..., 0])


def test_a_foreign_example_is_the_image_that_took_the_place(toy: PlainTrainingSet) -> None:
    toy.others = {"elsewhere": np.full((2000, 6, 6, 1), 255, dtype=np.uint8)}
    artefact = draw(OpenSet(rate=0.2, source="elsewhere"), toy, 0)
    found = examples(artefact, toy)
    assert all(example.foreign and example.true is None for example in found)
    assert all(np.asarray(Image.open(io.BytesIO(e.png))).min() == 255 for e in found)
    assert caption(found[0], toy.class_names).endswith("→ no class")


def test_where_nobody_knows_the_truth_nothing_is_said_of_it() -> None:
    train = make_set(200, 3, truth=False)
    artefact = draw(Real(), train, 0)
    found = audit(Real(), artefact, train, 0)
    assert found.realised_rate is None
    assert found.class_rates is None
    assert found.matrix is None
    assert {example.true for example in examples(artefact, train)} == {None}


def test_candidate_sets_are_audited_by_who_is_in_them(toy: PlainTrainingSet) -> None:
    noise = PartialNoisy(q=0.3, eta=0.2)
    artefact = draw(noise, toy, 0)
    sets = artefact.candidates
    assert sets is not None
    found = audit(noise, artefact, toy, 0)
    oracle = [sets[toy.labels == label].mean(axis=0) for label in range(4)]
    np.testing.assert_allclose(found.matrix, oracle)
    np.testing.assert_allclose(found.class_rates, 1 - np.diag(oracle))
    assert found.given_counts.tolist() == sets.sum(axis=0).tolist()
    assert artefact.matrix is None


def test_conventions_of_candidate_sets_differ_where_a_set_differs(toy: PlainTrainingSet) -> None:
    noise = PartialUniform(q=0.1)
    artefact = draw(noise, toy, 0)
    assert artefact.candidates is not None
    (other,) = audit(noise, artefact, toy, 0).disagreements
    alone = (artefact.candidates.sum(axis=1) == 1).mean()
    assert other.convention == "singletons fill"
    assert other.rate == 0
    # The seeds of the two differ, so at least every set of one label is another one there.
    assert other.share >= alone > 0.5


def test_feature_tables_have_no_examples() -> None:
    train = make_set(200, 3)
    train.inputs = np.zeros((200, 5), dtype=np.float32)
    assert examples(draw(Symmetric(rate=0.3), train, 0), train) == []


def test_large_images_become_small_and_dark_ones_bright() -> None:
    large = np.full((200, 100, 3), 90, dtype=np.uint8)
    assert Image.open(io.BytesIO(png(large))).size == (32, 64)
    assert np.asarray(Image.open(io.BytesIO(png(np.full((8, 8, 1), 16, np.uint8))))).max() == 240


def test_the_picture_shows_both_matrices_and_every_example(toy: PlainTrainingSet) -> None:
    noise = Symmetric(rate=0.3)
    artefact = draw(noise, toy, 0)
    shown = examples(artefact, toy)
    spec = picture(audit(noise, artefact, toy, 0), shown).to_dict()
    maps, grid = spec["vconcat"]
    said = json.dumps(maps)
    assert said.index("As realised") < said.index("As asked for")
    name = grid["layer"][0].get("data", grid.get("data"))["name"]
    captions = [row["caption"] for row in spec["datasets"][name]]
    assert captions == [caption(example, toy.class_names) for example in shown]
