//! source: what is dumped. Each engine has a room of its own; today PostgreSQL.

pub mod postgres;
