//! findings: what in a vault is not as it was left: those of one kind together, with what they mean and what to do.

use super::super::element::{Tone, counted, gravity, name, prose};
use crate::{
    finding::{Finding, FindingKind},
    health::SourceHealth,
};
use maud::{Markup, html};
use std::{cmp::Reverse, collections::BTreeMap};

/// A flood of junk in a vault is told by its number, not by a page that nobody can load.
const OBJECTS_MAX: usize = 5;

type Kinds<'a> = Vec<((FindingKind, &'a str), Vec<&'a Finding>)>;

pub fn findings(source: &SourceHealth) -> Markup {
    let kinds = kinds(source);
    html! {
        @if !kinds.is_empty() {
            h3 { "Findings" }
            @for ((kind, vault), found) in &kinds {
                article class={ "finding tone " (Tone::from(kind.gravity()).class()) } {
                    h4 { (gravity(kind.gravity())) " " (kind.word().replace('-', " ")) " in " (vault) }
                    p { (prose(kind.means())) }
                    ul.objects {
                        @for finding in found.iter().take(OBJECTS_MAX) {
                            li { (name(&finding.object)) " " (prose(&finding.what)) }
                        }
                    }
                    @if let Some(more) = found.len().checked_sub(OBJECTS_MAX).filter(|more| *more > 0) {
                        p {
                            "and " (counted(more as u64, "more object", "more objects")) ": "
                            code { "strongroom confirm " (source.source) } " lists all"
                        }
                    }
                    p.hint { (prose(kind.mend())) }
                }
            }
        }
    }
}

/// The gravest first.
fn kinds(source: &SourceHealth) -> Kinds<'_> {
    let mut kinds: BTreeMap<(FindingKind, &str), Vec<&Finding>> = BTreeMap::new();
    for vault in &source.vaults {
        for finding in vault.watched.iter().flat_map(|watched| &watched.findings) {
            kinds.entry((finding.kind, &vault.vault)).or_default().push(finding);
        }
    }
    let mut kinds: Kinds = kinds.into_iter().collect();
    kinds.sort_by_key(|((kind, _), _)| Reverse(kind.gravity()));
    kinds
}
