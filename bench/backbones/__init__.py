"""Networks without their classifier."""
