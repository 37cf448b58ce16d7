//! Finds PostgreSQL installations and runs private clusters, also when called as root.
