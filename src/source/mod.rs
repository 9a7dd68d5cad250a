//! source: what is dumped. Each engine has a room of its own; today PostgreSQL.

pub mod child;
pub mod postgres;

/// stub
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    Auto,
    Bubblewrap,
    None,
}
