//! The journal over sqlx: SQLite by default, PostgreSQL by URL, and a twin in memory
