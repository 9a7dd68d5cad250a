//! Tests of what pages say and never say; how they look is tested in a browser, in `monitor::page`.

use super::{specimen::*, *};
use crate::{
    health::{Facts, Story, judge},
    layout::SourceName,
    proof::{self, DrillReport},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn page_of(facts: &[Facts], stories: &BTreeMap<SourceName, Story>, told_by: Teller) -> String {
    let health = judge(now(), facts);
    status(&Status { health: &health, stories, told_by, beginning: false, warnings: Vec::new(), remarks: Vec::new() })
}

fn everything() -> String {
    page_of(&several(), &stories(), Teller::Restorer)
}

fn reports() -> [DrillReport; 4] {
    [
        proof::specimen::passed(),
        proof::specimen::failed(),
        proof::specimen::could_not_run(),
        proof::specimen::nothing_found(),
    ]
}

/// All pages that there are.
fn pages() -> Vec<String> {
    let depositor = page_of(&[unwatched(good("app"))], &BTreeMap::new(), Teller::Depositor);
    [vec![everything(), depositor], reports().iter().map(drill_report).collect()].concat()
}

/// What stands between each `before` and the next `after`.
fn between<'a>(page: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    page.split(before).skip(1).map(|rest| rest.split(after).next().unwrap()).collect()
}

/// The text of a page, as read.
fn text(page: &str) -> String {
    let body = page.split_once("</style>").unwrap().1;
    let text: String = body.split('<').filter_map(|tag| tag.split_once('>')).map(|(_, text)| text).collect();
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[test]
fn no_page_has_a_script_or_asks_for_anything() {
    for page in pages() {
        for never in
            ["<script", "<img", "<iframe", "<form", "<object", "@import", "url(", "http://", "https://", " style="]
        {
            let page = page.replace("xmlns='http://www.w3.org/2000/svg'", "");
            assert!(!page.contains(never), "{never} in {page}");
        }
        let links: BTreeSet<&str> = between(&page, "href=\"", "\"").into_iter().map(|link| &link[..1]).collect();
        assert!(links.is_subset(&BTreeSet::from(["#", "d"])), "{links:?}");
        assert_eq!(page.matches("href=\"d").count(), page.matches("href=\"data:image/svg+xml,").count());
    }
}

#[test]
fn the_policy_allows_the_style_of_every_page_and_nothing_else() {
    for page in pages() {
        let [style] = between(&page, "<style>", "</style>")[..] else { panic!("one style: {page}") };
        let digest = ring::digest::digest(&ring::digest::SHA256, style.as_bytes());
        let digest = BASE64_STANDARD.encode(digest);
        let allowed = format!(
            "default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
        );
        assert!(page.contains(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{allowed}\">")));
        assert_eq!(policy(), format!("{allowed}; frame-ancestors 'none'"));
    }
}

#[test]
fn whatever_is_read_in_a_vault_or_a_report_is_text() {
    let page = everything();
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(text(&page).contains(HOSTILE));
    let hostile = || HOSTILE.to_owned();
    let report = DrillReport {
        vault: hostile(),
        differences: vec![hostile()],
        suspect: vec![hostile()],
        notes: vec![hostile()],
        server: Some(hostile()),
        host: hostile(),
        strongroom: hostile(),
        ..proof::specimen::failed()
    };
    let page = drill_report(&report);
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert_eq!(text(&page).matches(HOSTILE).count(), 9);
    let mut facts = good("app");
    facts.drills.as_mut().unwrap().last =
        Some(DrillReport { reason: Some(hostile()), hint: Some(hostile()), ..report });
    facts.vaults[0].vault = hostile();
    facts.vaults[0].failing = Some(hostile());
    facts.suspicions = vec![hostile()];
    let page = page_of(&[facts], &BTreeMap::new(), Teller::Inspector);
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
}

#[test]
fn every_mark_is_defined_and_every_name_is_there_once() {
    for page in pages() {
        let ids = between(&page, " id=\"", "\"");
        let once: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(once.len(), ids.len(), "{ids:?}");
        for link in between(&page, "href=\"#", "\"").into_iter().chain(between(&page, "aria-labelledby=\"", "\"")) {
            assert!(once.contains(link), "{link}");
        }
        assert_eq!(page.matches("role=\"img\"").count(), between(&page, "role=\"img\"", "<title>").len());
        for picture in between(&page, "role=\"img\"", "</svg>") {
            assert!(picture.contains("<title>"), "{picture}");
        }
    }
}

#[test]
fn sources_are_told_the_worst_first_each_with_its_problems_and_hints() {
    let page = everything();
    let order = between(&page, "<section class=\"source\" id=\"source-", "\"");
    assert_eq!(order, ["billing", "ledger", "analytics", "crm", "newcomer", "app"]);
    // A hostile name may hold what marks code in a sentence: letters are enough.
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let said = plain(&text(&page));
    for source in judge(now(), &several()).sources {
        for problem in source.problems {
            assert!(said.contains(&plain(&problem.to_string())), "{problem}");
            assert!(said.contains(&plain(problem.hint())), "{problem}");
        }
    }
}

#[test]
fn the_headline_says_all_in_one_line() {
    let headline = |facts: &[Facts]| {
        let page = page_of(facts, &BTreeMap::new(), Teller::Inspector);
        between(&page, "<h1>", "</h1>")[0].to_owned()
    };
    assert_eq!(headline(&[]), "There is no source");
    assert_eq!(headline(&[good("app")]), "app is good");
    assert_eq!(headline(&[unprotected()]), "billing is unprotected");
    assert_eq!(headline(&[good("app"), good("b")]), "All 2 sources are good");
    assert_eq!(headline(&[good("app"), waiting()]), "Nothing is wrong; 1 of 2 sources waits for a first backup");
    assert_eq!(headline(&[good("app"), unprotected()]), "1 of 2 sources needs a look");
    assert_eq!(headline(&several()), "4 of 6 sources need a look");
}

#[test]
fn what_the_depositor_cannot_know_is_said_to_be_unknown_and_not_to_be_missing() {
    let page = text(&page_of(&[unwatched(good("app"))], &BTreeMap::new(), Teller::Depositor));
    // two rungs, two vaults, the drill
    assert_eq!(page.matches("not watched here: see the watcher").count(), 5, "{page}");
    for never in ["none yet", "proven in time", "could not verify"] {
        assert!(!page.contains(never), "{never}: {page}");
    }
}

#[test]
fn what_is_wrong_with_the_daemon_itself_comes_first() {
    let health = judge(now(), &[good("app")]);
    let stories = BTreeMap::new();
    let (warnings, remarks) = (vec!["The `loop` hangs.".to_owned()], vec!["3 messages.".to_owned()]);
    let page = status(&Status {
        health: &health,
        stories: &stories,
        told_by: Teller::Inspector,
        beginning: false,
        warnings,
        remarks,
    });
    let [warning, name, remark] =
        ["<code>loop</code> hangs.", "id=\"source-app\"", "3 messages."].map(|one| page.find(one).unwrap());
    assert!(warning < name && name < remark);
}

/// Twenty sources of four backups an hour, for a month.
#[test]
fn a_page_of_many_backups_stays_small() {
    let names: Vec<String> = (0..20).map(|n| format!("source-{n}")).collect();
    let facts: Vec<Facts> = names.iter().map(|name| good(name)).collect();
    let stories: BTreeMap<SourceName, Story> =
        names.iter().map(|name| (name.parse().unwrap(), story(name, 30, "15m"))).collect();
    let page = page_of(&facts, &stories, Teller::Inspector);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

#[test]
fn a_flood_of_findings_and_differences_is_told_by_its_number() {
    let mut facts = unprotected();
    let watched = facts.vaults[0].watched.as_mut().unwrap();
    let junk = watched.findings.last().unwrap().clone();
    watched.findings.extend((0..100_000).map(|_| junk.clone()));
    facts.drills.as_mut().unwrap().last =
        Some(DrillReport { differences: vec!["public.a: missing".into(); 1_050], ..proof::specimen::failed() });
    let page = page_of(&[facts], &BTreeMap::new(), Teller::Inspector);
    assert!(page.len() < 100_000, "{} bytes", page.len());
    let said = text(&page);
    assert!(said.contains("and 100,026 more objects: strongroom confirm billing lists all"), "{said}");
    assert!(said.contains("and 1,000 more differences, which the report names"), "{said}");
    assert_eq!(said.matches("public.a: missing").count(), 50);
}

/// Every value in a report's JSON, as the page writes it.
fn values(json: &Value) -> Vec<Vec<String>> {
    match json {
        Value::Null => Vec::new(),
        Value::Array(members) => members.iter().flat_map(values).collect(),
        Value::Object(members) => members.values().flat_map(values).collect(),
        Value::Number(number) => {
            vec![vec![number.as_u64().map_or_else(String::new, element::grouped), number.as_f64().unwrap().to_string()]]
        }
        Value::String(text) => {
            let instant = text.parse().ok().map(element::in_full);
            vec![vec![instant.unwrap_or_else(|| text.replace('`', "").replace("could-not-run", "could not run"))]]
        }
        Value::Bool(_) => unreachable!("a report has none"),
    }
}

#[test]
fn a_report_tells_people_all_that_it_tells_programs() {
    for report in reports() {
        let page = text(&drill_report(&report));
        let mut json = json!(report);
        let confinement = json["confinement"].take();
        if report.outcome == proof::DrillOutcome::CouldNotRun {
            json["compared"].take(); // nothing, in words
        }
        for written in values(&json) {
            assert!(
                written.iter().any(|form| !form.is_empty() && page.contains(form)),
                "{written:?} is not on\n{page}"
            );
        }
        let kept = report.confinement.map_or("none was needed", proof::Confinement::words);
        assert!(page.contains(kept), "{confinement}: {page}");
    }
}

#[test]
fn a_report_of_suspect_data_that_restores_does_not_call_the_data_good() {
    let report = DrillReport { suspect: vec!["all rows are gone".into()], ..proof::specimen::passed() };
    let page = text(&drill_report(&report));
    assert!(page.contains("Its data looked wiped when it was taken.") && page.contains("all rows are gone"), "{page}");
}
