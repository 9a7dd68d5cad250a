//! Tests of the pages in a real browser, without script, as they are read: on a phone, on a tablet, on a desk, by day
//! and by night.

use super::{browser::Browser, written};
use crate::{
    clock::Clock,
    health::Facts,
    monitor::{Board, bind, serve},
    page::{Teller, drill_report, specimen},
    proof,
};
use serde_json::{Value, json};
use std::{fs, time::Duration};
use tokio_util::sync::CancellationToken;

const SCREENS: [(u32, u32); 3] = [(360, 740), (768, 1024), (1280, 900)];

/// The server that a daemon has, with made-up facts on its board, and a browser that looks at it.
struct World {
    browser: Browser,
    url: String,
    _stop: tokio_util::sync::DropGuard,
}

impl World {
    async fn showing(facts: Vec<Facts>, told_by: Teller) -> Self {
        let bound = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (board, stop) = (Board::new(specimen::now()), CancellationToken::new());
        board.update(|shown| {
            shown.ready = !facts.is_empty();
            shown.facts = facts;
            shown.told_by = told_by;
            if told_by != Teller::Depositor {
                shown.stories = specimen::stories().into();
            }
        });
        let url = format!("http://{}/", bound.address);
        tokio::spawn(serve(bound, board, Clock::new(specimen::now), Duration::from_secs(60), stop.clone()));
        Self { browser: Browser::start().await, url, _stop: stop.drop_guard() }
    }

    /// Opens `url` on every screen, by day and by night, and insists on what holds for every page.
    async fn looks_well(&self, url: &str, name: &str, words: &[&str]) {
        for (width, height) in SCREENS {
            for dark in [false, true] {
                self.browser.screen(width, height, dark).await;
                self.browser.open(url).await;
                let page = format!("{name}-{width}-{}", if dark { "dark" } else { "light" });
                self.browser.picture(&page).await;
                let [wide, inner] =
                    ["document.scrollingElement.scrollWidth", "innerWidth"].map(|of| format!("return {of}"));
                let (wide, inner) = (self.browser.run(&wide).await, self.browser.run(&inner).await);
                assert!(wide.as_u64() <= inner.as_u64() && inner == width, "{page}: {wide} wide on {inner}");
                let text = self.browser.run("return document.body.innerText").await;
                let text = text.as_str().unwrap().to_lowercase();
                for word in words {
                    assert!(text.contains(&word.to_lowercase()), "{page} does not say `{word}`:\n{text}");
                }
                assert_eq!(self.browser.run(FAINT).await, json!([]), "{page}");
                assert_eq!(self.browser.complaints().await, Vec::<Value>::new(), "{page}");
            }
        }
    }
}

/// Every text that cannot be read on what it stands on: WCAG's contrast below 4.5.
const FAINT: &str = r"
    const channels = colour => colour.match(/[\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
        return .2126 * x + .7152 * y + .0722 * z;
    };
    const ground = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = channels(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return null;
    };
    const faint = [];
    const body = ground(document.body);
    if (!body) return ['no ground'];
    for (const element of document.body.querySelectorAll('*')) {
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
        if (!own || ['title', 'desc', 'style'].includes(element.tagName.toLowerCase())) continue;
        const style = getComputedStyle(element);
        const colour = channels(element.tagName === 'text' ? style.fill : style.color);
        const [a, b] = [light(colour), light(ground(element))].sort((a, b) => b - a);
        const contrast = (a + .05) / (b + .05);
        if (contrast < 4.5) faint.push(`${contrast.toFixed(2)}: ${element.textContent.slice(0, 60)}`);
    }
    return faint;";

#[tokio::test]
async fn several_sources_in_every_state_are_readable_on_every_screen() {
    let world = World::showing(specimen::several(), Teller::Restorer).await;
    let words = [
        "4 of 6 sources need a look",
        "good",
        "waiting",
        "suspect",
        "failing",
        "overdue",
        "unprotected",
        "the newest backup looks wiped",
        "the recovery point is 1d 7h old",
        "could not run",
        "passed",
        "failed",
        "public.entries: 812441 rows in the backup, 812440 restored",
        "Give scratch_dir of [drill] a larger disk",
        "<script>document.title='owned'</script>",
        "and 26 more objects",
    ];
    world.looks_well(&world.url, "several", &words).await;
    let title = world.browser.run("return document.title").await;
    assert_eq!(title, "4 of 6 sources need a look · Strongroom");
    let strangers =
        "return document.querySelectorAll('script, img, iframe, object, embed, form, a:not([href^=\"#\"])').length";
    assert_eq!(world.browser.run(strangers).await, 0);
    world.browser.print("several").await;
}

#[tokio::test]
async fn one_source_with_which_nothing_is_wrong_is_told_by_each_daemon() {
    let watched = World::showing(vec![specimen::good("app")], Teller::Inspector).await;
    watched
        .looks_well(&watched.url, "good", &["app is good", "proven", "in time", "lapses in 34d 23h", "Recovery point"])
        .await;
    let depositor = World::showing(vec![specimen::unwatched(specimen::good("app"))], Teller::Depositor).await;
    depositor
        .looks_well(&depositor.url, "depositor", &["app is good", "not watched here: see the watcher", "Next run"])
        .await;
}

#[tokio::test]
async fn the_first_start_has_words_for_all_that_is_not_there_yet() {
    let empty = World::showing(Vec::new(), Teller::Inspector).await;
    empty.looks_well(&empty.url, "beginning", &["Nothing is known yet"]).await;
    let first = World::showing(vec![specimen::waiting()], Teller::Restorer).await;
    let words = ["newcomer is waiting", "waits for its first backup", "none yet", "nothing confirmed yet"];
    first.looks_well(&first.url, "first-start", &words).await;
}

#[tokio::test]
async fn a_drill_report_is_a_file_that_needs_nothing_else() {
    let world = World::showing(Vec::new(), Teller::Restorer).await;
    let folder = tempfile::tempdir().unwrap();
    let reports = [
        (
            "report-passed",
            proof::specimen::passed(),
            ["Passed", "It is proven", "10,164,532", "sandboxed by bubblewrap"],
        ),
        (
            "report-failed",
            proof::specimen::failed(),
            ["Failed", "must not be counted on", "812440 restored", "10m 10s over"],
        ),
        (
            "report-could-not-run",
            proof::specimen::could_not_run(),
            ["Could not run", "neither passed", "412.0 GiB", "nothing"],
        ),
        (
            "report-nothing",
            proof::specimen::nothing_found(),
            ["Could not run", "there is no backup", "none was", "no:"],
        ),
    ];
    for (name, report, words) in reports {
        let path = folder.path().join(format!("{name}.html"));
        fs::write(&path, drill_report(&report)).unwrap();
        world.looks_well(&format!("file://{}", path.display()), name, &words).await;
        world.browser.print(name).await;
    }
}

#[test]
fn what_is_wrong_with_the_daemon_itself_is_on_its_page() {
    let board = Board::new(specimen::now());
    board.update(|shown| (shown.ready, shown.facts) = (true, vec![specimen::good("app")]));
    let well = written(specimen::now(), &board, Duration::from_secs(60));
    assert!(!well.contains("The daemon itself"), "{well}");
    board.update(|shown| {
        shown.reload.succeeded = false;
        shown.totals.alerts_failed.insert("team".into(), 3);
    });
    let page = written(specimen::now(), &board, Duration::ZERO);
    for fact in ["has not come round since 2026-11-21T12:00:00Z", "has mistakes", "<code>team</code>", "began: 3."] {
        assert!(page.contains(fact), "no `{fact}` on\n{page}");
    }
}
