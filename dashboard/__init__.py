"""The Streamlit leaderboard; reads the database and never writes it."""
