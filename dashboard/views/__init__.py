"""One file a page; each gives ``show(board)``.

The folder is not called ``pages``: Streamlit takes scripts in a folder of that name beside
``app.py`` for pages of their own, and a link to ``/gains`` would open an empty one.
"""
