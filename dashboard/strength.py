"""Bradley-Terry strengths of a board, kept: their bootstrap takes a moment."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from bench.stats.bradley_terry import strengths


@st.cache_data(max_entries=64, show_spinner=False)
def strengths_of(table: pd.DataFrame) -> pd.DataFrame:
    """As ``bench.stats.bradley_terry.strengths`` gives them."""
    return strengths(table)
