"""What the headings of tables mean, in a sentence each."""

from __future__ import annotations

MEANINGS = {
    "rank": "Average of the ranks in the columns; 1 is best, ties share a rank.",
    "method": "The method and the parameters that differ from its defaults.",
    "group": "Methods that share a letter are not told apart by Nemenyi's test at 0.05.",
    "told / uses": "What a method is told beyond the wrong labels, or uses beyond one network "
    "trained from scratch.",
    "mean": "Mean over the columns in %, ± half of the 95 % bootstrap interval over them.",
    "strength": "Bradley–Terry: 400 points more are odds of 10 to 1 to be the better one in a "
    "column; the average method has 1000.",
    "refiner": "The plug-in on the trained classifier head.",
    "off": "Mean test accuracy without the refiner, in %.",
    "gain": "Mean of the cells' gains over off, in percentage points; minus is harm.",
    "95 % interval": "Bootstrap over cells.",
    "wins": "How often better.",
    "ties": "How often equal.",
    "losses": "How often worse.",
    "worst cell": "The lowest mean gain of any cell.",
    "p": "Wilcoxon's signed-rank test, two-sided.",
    "p (Holm)": "Corrected over all rows by Holm's method.",
    "effect": "Matched-pairs rank-biserial correlation: 1 where every cell gains, -1 where every "
    "cell loses.",
    "P(better)": "Probability of improvement: the share of a cell's seeds that gain, ties half, "
    "averaged over cells.",
    "cells": "Cells with a pair of on and off.",
    "oracle k*": "If every training took the k of its best test accuracy: no result, never ranked.",
    "methods": "How many are ranked.",
    "columns": "Data sets and noises that ranks are over.",
    "Friedman χ²": "Whether average ranks differ at all; corrected for ties, needs many columns.",
    "F": "The form of Friedman's test by Iman and Davenport, good for few columns too.",
    "critical difference": "Of average ranks, Nemenyi's test at 0.05.",
    "other": "The method of the worse average rank.",
    "difference": "Mean difference of accuracy, in percentage points.",
    "family": "Of methods, as they declare it.",
    "minus best control": "The variant's gain minus that of the control with the highest mean.",
    "unpaired": "Trainings that have the variant or a control and not both; left out.",
    "verdict": "By the rule under the table.",
    "noise": "As the suite shows it.",
    "data set": "As the suite shows it.",
    "samples": "Of the training set.",
    "nominal %": "The share of wrong labels that was asked for.",
    "realised %": "The share of wrong labels of these very samples.",
    "lacks": "Seeds without a result, or evaluations that were never made.",
    "why": "Why there is no result.",
    "command": "Runs what this row lacks, and nothing else.",
    "ours": "Our mean over seeds in %, ± standard deviation.",
    "published": "The figure of the source in %, ± standard deviation if it has one.",
    "source": "Where the figure was read.",
}
"""Heading -> what it means; headings without an entry are names of methods, noises or controls."""
