//! Builds real estates, load and accidents for demo, tests and rehearsals
