"""The idea itself: small pure functions over per-sample arrays."""
