//! Performs the engine's effects: the one inner place with tokio, clock and signals
