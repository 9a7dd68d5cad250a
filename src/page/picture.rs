//! picture: what became of a source's backups and drills over time, as SVG in the page.
//!
//! Written here in a few lines, for plotters' SVG (tried, 0.3.7) is of one size, so that its text is unreadable on a
//! phone; names its colours in each element and has no classes, so that no style can make it dark; has neither title
//! nor description; and is six times as long. Here places along a picture are shares of its width and text is text, so
//! it is as wide as what it is shown on, and its letters are as large as the page's.

mod climb;
mod measure;
mod window;

pub use climb::climb;
pub use measure::measures;
pub use window::{Backup, Column, Window, backups};

#[cfg(test)]
mod tests;
