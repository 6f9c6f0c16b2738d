"""What several methods share: a method imports it, and it is part of that method's identity."""
