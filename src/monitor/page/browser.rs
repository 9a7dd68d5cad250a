//! browser: a headless Chromium that a test drives as WebDriver says (w3.org/TR/webdriver2), and that ends with it.

use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Scripts of pages are off, as with a reader who allows none; a driver's own still run.
const SCRIPTS_BLOCKED: u8 = 2;

/// Fields end in this order: the programs before their folder.
pub struct Browser {
    driver: Child,
    session: String,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Drop for Browser {
    /// Chromium is tied to the driver, and the driver to this thread; both are gone before their folder is.
    fn drop(&mut self) {
        drop(self.driver.kill()); // it has ended by itself
        drop(self.driver.wait());
    }
}

impl Browser {
    pub async fn start() -> Self {
        drop(crate::monitor::Courier::new().unwrap()); // installs the provider that reqwest asks for
        let folder = tempfile::tempdir().unwrap();
        let chromium = tied_chromium(folder.path());
        let mut driver = Command::new("setpriv")
            .args(["--pdeathsig=KILL", "--", "chromedriver", "--port=0"])
            .envs([("HOME", folder.path()), ("TMPDIR", folder.path())])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let begun = lines.find(|line| line.contains("started successfully on port")).expect("chromedriver begins");
        let port = begun.trim_end_matches('.').rsplit(' ').next().unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        let client = reqwest::Client::new();
        let profile = folder.path().join("profile");
        let options = json!({
            "binary": chromium,
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     format!("--user-data-dir={}", profile.display())],
            "prefs": { "profile.managed_default_content_settings.javascript": SCRIPTS_BLOCKED },
        });
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let address = format!("http://127.0.0.1:{port}/session");
        let answer = client.post(&address).json(&capabilities).send().await.unwrap().json::<Value>().await.unwrap();
        let id = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{answer:#}"));
        Self { driver, session: format!("{address}/{id}"), client, _folder: folder }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let sent = self.client.post(format!("{}/{path}", self.session)).json(&body).send().await;
        let mut answer = sent.unwrap().json::<Value>().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer:#}");
        answer["value"].take()
    }

    /// A command of the DevTools protocol.
    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    pub async fn open(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// A screen of that size, of a phone where it is narrow, whose owner prefers a dark or a light page.
    pub async fn screen(&self, width: u32, height: u32, dark: bool) {
        let phone = width < 600;
        let scale = if phone { 2 } else { 1 };
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// What a driver's script gives back.
    pub async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// All that the browser complained of since it was asked last: errors, and what the page's policy kept out.
    pub async fn complaints(&self) -> Vec<Value> {
        let log = self.post("se/log", json!({ "type": "browser" })).await;
        log.as_array().unwrap().clone()
    }

    /// The whole page, however long, as target/screenshots/NAME.png.
    pub async fn picture(&self, name: &str) {
        let shot =
            self.devtools("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true })).await;
        keep(&format!("{name}.png"), &shot);
    }

    /// The page as it is printed, as target/screenshots/NAME.pdf, and as it would look on a screen.
    pub async fn print(&self, name: &str) {
        self.devtools("Emulation.setEmulatedMedia", json!({ "media": "print" })).await;
        self.picture(&format!("{name}-print")).await;
        let sheet = self.devtools("Page.printToPDF", json!({ "preferCSSPageSize": true })).await;
        keep(&format!("{name}.pdf"), &sheet);
    }
}

fn keep(name: &str, answer: &Value) {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/screenshots"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), BASE64_STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()).unwrap();
}

/// A program that is Chromium, and ends when whoever started it does.
fn tied_chromium(folder: &Path) -> PathBuf {
    let path = folder.join("chromium");
    fs::write(&path, "#!/bin/sh\nexec setpriv --pdeathsig=KILL -- /usr/bin/chromium \"$@\"\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}
