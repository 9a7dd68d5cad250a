//! frame: what every page is set in: its head with the style, its marks, its foot; and the policy that it holds to.

use super::element::Tone;
use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest};
use std::sync::LazyLock;

const STYLE: &str = include_str!("style.css");
/// The shapes that stand for states and rungs, each around the origin. Defined once in a page, used by name.
const MARKS: &str = include_str!("marks.svg");

/// The style by its digest, the icon, and nothing else.
static ALLOWED: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; form-action 'none'")
});

/// The Content-Security-Policy of a page, for whoever serves it. Each page says the same of itself, for it may be read
/// as a file, too, but for what only a header can say: that no other page shows it in a frame.
pub fn policy() -> String {
    format!("{}; frame-ancestors 'none'", *ALLOWED)
}

pub struct Frame<'a> {
    pub title: &'a str,
    /// Of the icon that a browser shows beside the title.
    pub tone: Tone,
    /// After how many seconds a browser asks for the page again.
    pub refresh_secs: Option<u32>,
}

impl Frame<'_> {
    pub fn around(&self, content: &Markup) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(*ALLOWED);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    meta name="robots" content="noindex";
                    @if let Some(secs) = self.refresh_secs {
                        meta http-equiv="refresh" content=(secs);
                    }
                    title { (self.title) }
                    link rel="icon" href=(icon(self.tone));
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    (PreEscaped(MARKS))
                    (content)
                }
            }
        };
        page.into_string()
    }
}

/// A disc in the colour of `tone`; a cross in it, where somebody should look.
fn icon(tone: Tone) -> String {
    let (colour, shape) = match tone {
        Tone::Well => ("17694a", "M4.5 8.2l2.4 2.4 4.6-5"),
        Tone::Calm => ("4a5a70", "M5 8h6"),
        Tone::Odd => ("7b3aa6", "M8 4v5M8 11.5v.5"),
        Tone::Warn => ("8a5300", "M8 4v5M8 11.5v.5"),
        Tone::Bad => ("b3212b", "M5 5l6 6M11 5l-6 6"),
    };
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' \
         r='8' fill='%23{colour}'/%3E%3Cpath d='{shape}' fill='none' stroke='white' stroke-width='2' \
         stroke-linecap='round'/%3E%3C/svg%3E"
    )
}
