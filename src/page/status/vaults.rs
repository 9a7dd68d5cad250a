//! vaults: what each vault of a source holds, how long its lock still lasts, and what was read back out of it.

use super::{
    super::element::{Tone, age, name, prose, relative, time, told},
    Teller,
};
use crate::{
    clock::{Timestamp, spoken},
    health::{SealedFacts, SourceHealth, VaultHealth, VaultWatched},
};
use maud::{Markup, html};

/// Clocks that differ by less are not worth a word.
const SKEW_SECS_MIN: u64 = 5;

pub fn vaults(source: &SourceHealth, told_by: Teller, now: Timestamp) -> Markup {
    html! {
        h3 { "Vaults" }
        table role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    @for head in ["Vault", "Newest good backup", "Read back", "Lock"] {
                        th scope="col" role="columnheader" { (head) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for vault in &source.vaults {
                    tr role="row" {
                        th scope="row" role="rowheader" { (vault.vault) (standing(vault)) }
                        td role="cell" data-label="Newest good" { (newest(vault, now)) }
                        td role="cell" data-label="Read back" {
                            @match &vault.watched {
                                Some(watched) => (read_back(watched, vault.last_good.as_ref(), now)),
                                None => (told_by.unknown()),
                            }
                        }
                        td role="cell" data-label="Lock" { (lock(vault)) }
                    }
                }
            }
        }
    }
}

/// Does it hold what it should, and if not, why?
fn standing(vault: &VaultHealth) -> Markup {
    let (tone, mark, word) = match (vault.current, &vault.failing) {
        (_, Some(_)) => (Tone::Warn, "failing", "failing"),
        (true, None) => (Tone::Well, "good", "current"),
        (false, None) if vault.last_good.is_none() => (Tone::Calm, "waiting", "nothing yet"),
        (false, None) => (Tone::Warn, "overdue", "behind"),
    };
    html! {
        p { (told(tone, mark, word)) }
        @if let Some(every) = vault.every { p.fine { "one backup every " (spoken(every)) } }
        @if let Some(why) = &vault.failing { p.fine { (prose(why)) } }
    }
}

fn newest(vault: &VaultHealth, now: Timestamp) -> Markup {
    let newer = vault.last_sealed.as_ref().filter(|sealed| vault.last_good.as_ref() != Some(sealed));
    html! {
        @match &vault.last_good {
            Some(good) => {
                p { (spoken(age(good.snapshot_at, now))) " old" }
                p.fine { (name(good.backup.as_str())) }
            }
            None => p { "none" }
        }
        @if let Some(newer) = newer {
            p.fine { (told(Tone::Odd, "suspect", "suspect")) ": " (name(newer.backup.as_str())) " is newer" }
        }
    }
}

fn read_back(watched: &VaultWatched, good: Option<&SealedFacts>, now: Timestamp) -> Markup {
    let skew = watched.clock_skew_secs.filter(|skew| skew.unsigned_abs() >= SKEW_SECS_MIN);
    html! {
        @match &watched.last_confirmed {
            Some(confirmed) if good.is_some_and(|good| good.backup == confirmed.backup) => p {
                "all of it, as promised"
            }
            Some(confirmed) => {
                p { "as promised: one " (spoken(age(confirmed.snapshot_at, now))) " old" }
                p.fine { (name(confirmed.backup.as_str())) }
            }
            None => p { "nothing confirmed yet" }
        }
        @if let Some(at) = watched.confirmed_at { p.fine { "looked at everything " (relative(at.min(now), now)) } }
        @if let Some(unverified) = &watched.unverified {
            p {
                (told(Tone::Warn, "unknown", "could not verify")) " since " (time(unverified.since)) ": "
                (prose(&unverified.why))
            }
        }
        @if let Some(skew) = skew {
            p.fine {
                "its clock is " (skew.unsigned_abs()) " s " (if skew > 0 { "ahead of" } else { "behind" }) " ours"
            }
        }
        @if let Some(at) = watched.credential_expires_at { p.fine { "our credential expires " (relative(at, now)) } }
    }
}

/// Until when nobody can delete the last good backup.
fn lock(vault: &VaultHealth) -> Markup {
    html! {
        @match (&vault.last_good, vault.lapses_in, vault.locked_until()) {
            (Some(good), Some(left), Some(until)) => {
                @if left.is_zero() {
                    p { (told(Tone::Bad, "overdue", "has lapsed")) }
                } @else {
                    p { "lapses in " (spoken(left)) }
                }
                p.fine { (good.lock) " until " (time(until)) }
            }
            (Some(_), ..) => p { (told(Tone::Warn, "failing", "not locked")) }
            (None, ..) => p { "nothing to lock" }
        }
    }
}
