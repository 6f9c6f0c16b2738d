"""One file a page; each gives ``show(board)``."""
