"""LIPBench: which method should learn from wrong labels, and does LIP make it better?"""

from __future__ import annotations

__version__ = "0.1.0"
