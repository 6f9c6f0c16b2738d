"""Pure statistics on tidy frames."""
