//! Compiles runbook x estate x sites x target time into one hashed DAG
