//! Strongroom: isolated, immutable off-site backups of production databases, restored again and again to prove them.
//!
//! # Map
//! A floor imports downward only; `tests/floors.rs` checks it.
//! ```text
//! F6 doors        main lib config cli
//! F5 watch        daemon watch service monitor
//! F4 journeys     backup restore fetch check confirm drill            never import vault
//! F3 powers       role: depositor inspector restorer reporter
//! F2 instruments  source vault catalog                  never each other
//! F1 keys         secret keyring segment
//! F0 words        clock failure progress digest fingerprint term layout manifest run proof finding      pure: no I/O, no now()
//! F0 judgements   schedule health suspect                                                  pure
//! F0 views        page                                                                     pure: values in, HTML out
//! ```
//!
//! # Invariants
//! 1. **No verb deletes, prunes, unlocks or shortens.** There is no such call. The bucket's own lifecycle rule removes
//!    versions whose lock has lapsed; the lock is the reference count.
//! 2. **No unlocked deposit.** The lock comes with the PUT, is read back, and a receipt that falls short fails the run
//!    before anything is sealed (`role::depositor`). A directory that cannot hold a lock is named wherever it is shown.
//! 3. **A dump that did not complete cannot be sealed.** `ManifestDraft::complete` takes a `DumpComplete`, and that
//!    exists only where every stream ended well and every child exited with 0 (`manifest::draft`).
//! 4. **Plaintext never touches disk or wire** outside a restore's target, a drill's scratch server and a `fetch` that was
//!    asked for. A scratch server is confined, and gone with what it held (`source::sandbox`).
//! 5. **The depositor cannot read** what it or anyone deposited: it holds public keys only (`config` refuses others).
//! 6. **Restore needs nothing of ours but keys**: no catalog, no daemon's host, and by hand no program of ours.
//! 7. **Restore sees through attacks**: by version id, oldest authentic version first, ordered by the server's clock
//!    (`role::inspector`).
//! 8. **A verification that could not run is never a pass.**
//! 9. **A segment is referred to only while its lock, read back, covers the new manifest's promise**; else it is
//!    deposited anew (`backup::lane`). So no role ever needs the right to extend a lock.
//! 10. **Secrets have no way to be printed** (`secret`), and reach children through files in memory.
//! 11. **One PUT per object**, whole body in memory, Content-MD5 and signed SHA-256 payload, no multipart; a retry
//!     sends the same bytes (`vault::s3`).
//!
//! Absent on purpose: rotation by count, a delete command, a lock extension, a plaintext cache, a password in argv.

mod backup;
mod catalog;
mod check;
pub mod cli;
mod clock;
mod config;
mod confirm;
mod daemon;
mod digest;
mod drill;
mod failure;
mod fetch;
mod finding;
mod fingerprint;
mod health;
mod keyring;
mod layout;
mod manifest;
mod monitor;
mod page;
mod progress;
mod proof;
mod restore;
mod role;
mod run;
mod schedule;
mod secret;
mod segment;
mod service;
mod source;
mod suspect;
mod term;
mod vault;
mod watch;
