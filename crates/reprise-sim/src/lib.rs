//! The engine under virtual time, with a seeded world of faults
