//! source: what is dumped. Each engine has a room of its own; today PostgreSQL.

pub mod child;
pub mod postgres;
pub mod sandbox;
