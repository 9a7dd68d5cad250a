//! page: what is known, as pages for people: the status page, and a drill's report for an auditor.
//!
//! Values in, HTML out. A page is one file that needs nothing else: no script, no font, no picture from elsewhere, and
//! its policy has the browser insist on that. Whatever was read in a vault is text here, and stays text.

mod element;
mod frame;
mod picture;
mod proof;
mod report;
mod status;

pub use frame::policy;
pub use report::drill_report;
pub use status::{Status, Teller, status};

#[cfg(test)]
pub mod specimen;
#[cfg(test)]
mod tests;
