//! Chromium driven through chromedriver: one browser a test, a bounded number at once.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use fantoccini::actions::{
    InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{PATIENCE, Process};

/// How many browsers run at once; each keeps a core of a small machine busy.
const BROWSERS_MAX: usize = 2;

/// How often a driver is started before a test gives up.
const DRIVER_STARTS_MAX: usize = 5;

/// The screen that a page is shown on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    Desktop,
    Phone,
}

/// What the system wishes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

/// A tab of a browser.
pub struct Page {
    client: Client,
    driver: u32,
}

/// One line of the console.
#[derive(Clone, Debug)]
pub struct ConsoleLine {
    pub level: String,
    pub text: String,
}

/// Opens a browser that speaks `language`, lets `visit` use it and checks at the end that its console has neither
/// errors nor warnings (a violated content policy is one) except those that `is_allowed` takes.
#[track_caller]
pub fn browse(language: &str, is_allowed: fn(&ConsoleLine) -> bool, visit: impl AsyncFnOnce(&Page)) {
    let _permit = Permit::acquire();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let profile = TempDir::new().unwrap();
    let driver = Driver::start();
    runtime.block_on(async {
        let page =
            Page { client: driver.open_session(profile.path(), language).await, driver: driver.process.id() };
        page.show_on(Screen::Desktop, Scheme::Light).await;
        let visited = AssertUnwindSafe(visit(&page)).catch_unwind().await;
        let console = page.take_console().await;
        if let Err(panic) = visited {
            let test = std::thread::current().name().unwrap_or("test").replace("::", "-");
            page.screenshot(&format!("failed-{test}")).await;
            eprintln!("--- console of the page:\n{console:#?}\n--- text of the page:\n{}", page.text().await);
            std::panic::resume_unwind(panic);
        }
        let is_bad = |line: &&ConsoleLine| ["SEVERE", "WARNING"].contains(&line.level.as_str());
        let complaints: Vec<_> = console.iter().filter(is_bad).filter(|line| !is_allowed(line)).collect();
        assert!(complaints.is_empty(), "the console of the page has complaints: {complaints:#?}");
        page.client.clone().close().await.expect("the browser closes");
    });
}

/// For pages that have no reason to complain.
pub fn nothing(_line: &ConsoleLine) -> bool {
    false
}

impl Page {
    /// Opens an address.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("cannot open {url}: {error}"));
    }

    /// Shows the page on a screen of this kind from now on.
    pub async fn show_on(&self, screen: Screen, scheme: Scheme) {
        let (width, height, ratio, is_phone) = match screen {
            Screen::Desktop => (1280, 800, 1, false),
            Screen::Phone => (390, 844, 3, true),
        };
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": is_phone}),
        )
        .await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({"enabled": is_phone})).await;
        let scheme = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": feature})).await;
    }

    /// The value of a JavaScript expression.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        let value = self.client.execute(&script, Vec::new()).await;
        value.unwrap_or_else(|error| panic!("cannot evaluate {expression}: {error}"))
    }

    /// Runs the body of an asynchronous JavaScript function to its end, and gives what it returns.
    #[track_caller]
    pub fn run(&self, body: &str) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        let script = format!(
            "const done = arguments[0];
             (async () => {{ {body} }})().then((value) => done({{ value }}), (error) => done({{ error: `${{error.stack ?? error}}` }}));"
        );
        async move {
            let ended = self.client.execute_async(&script, Vec::new()).await;
            let mut ended =
                ended.unwrap_or_else(|error| panic!("{caller}: the script does not end: {error}"));
            assert!(ended["error"].is_null(), "{caller}: the script failed: {}", ended["error"]);
            ended["value"].take()
        }
    }

    /// Waits until a JavaScript expression is neither false, null, zero nor empty, and gives its value.
    pub async fn wait_for(&self, what: &str, expression: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.evaluate(expression).await;
            let is_there = match &value {
                Value::Null => false,
                Value::Bool(is_true) => *is_true,
                Value::Number(number) => number.as_f64() != Some(0.0),
                Value::String(text) => !text.is_empty(),
                Value::Array(_) | Value::Object(_) => true,
            };
            if is_there {
                return value;
            }
            if Instant::now() >= deadline {
                panic!("waited for {what} in the page: `{expression}` is still {value}");
            }
            // The page has no wake-up to give through WebDriver.
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits until an element that a CSS selector names shows this text.
    pub async fn wait_for_text(&self, selector: &str, text: &str) {
        let expression = format!(
            "[...document.querySelectorAll({})].some(it => it.innerText.includes({}))",
            json!(selector),
            json!(text)
        );
        self.wait_for(&format!("the text `{text}` in {selector}"), &expression).await;
    }

    /// Waits until a CSS selector names something.
    pub async fn wait_for_element(&self, selector: &str) {
        let expression = format!("document.querySelector({}) !== null", json!(selector));
        self.wait_for(&format!("an element {selector}"), &expression).await;
    }

    /// Clicks, or taps, the one element of a CSS selector; what lies under a bar is scrolled from there first.
    pub async fn click(&self, selector: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.wait_for_element(selector).await;
            let clicked = match self.client.find(Locator::Css(selector)).await {
                Ok(element) => element.click().await,
                Err(error) => Err(error),
            };
            // A page that draws itself anew may take the element away between the two; then nothing was clicked.
            match clicked {
                Ok(()) => return,
                Err(error) => assert!(Instant::now() < deadline, "cannot click {selector}: {error}"),
            }
            let to_the_middle = format!(
                "document.querySelector({})?.scrollIntoView({{ block: 'center', behavior: 'instant' }}) ?? null",
                json!(selector)
            );
            self.evaluate(&to_the_middle).await;
            self.next_frame().await;
        }
    }

    /// Replaces the text of an input by typing, as a person does: all of it is marked, and the first key replaces it. What is
    /// cleared from outside comes back when the page draws itself before the first key.
    pub async fn fill(&self, selector: &str, text: &str) {
        const BACKSPACE: &str = "\u{E003}";
        self.wait_for_element(selector).await;
        let mark = format!(
            "(() => {{ const it = document.querySelector({}); it.focus(); it.select(); return true; }})()",
            json!(selector)
        );
        self.evaluate(&mark).await;
        let element = self.client.find(Locator::Css(selector)).await.unwrap();
        let keys = if text.is_empty() { BACKSPACE } else { text };
        element.send_keys(keys).await.unwrap_or_else(|error| panic!("cannot fill {selector}: {error}"));
    }

    /// Chooses a file in an input for files.
    pub async fn choose_file(&self, selector: &str, file: &Path) {
        self.wait_for_element(selector).await;
        let element = self.client.find(Locator::Css(selector)).await.unwrap();
        let chosen = element.send_keys(file.to_str().unwrap()).await;
        chosen.unwrap_or_else(|error| panic!("cannot choose a file in {selector}: {error}"));
    }

    /// Types at whatever has the focus.
    pub async fn press(&self, keys: &str) {
        // As a keyboard does it: the browser says who has the focus at the moment of each key.
        let keys = keys.chars().fold(KeyActions::new("keyboard".to_owned()), |actions, value| {
            actions.then(KeyAction::Down { value }).then(KeyAction::Up { value })
        });
        self.client.perform_actions(keys).await.unwrap_or_else(|error| panic!("cannot type: {error}"));
    }

    /// Drags the mouse across from one share of an element's width to another.
    pub async fn drag(&self, selector: &str, from: f64, to: f64) {
        self.wait_for_element(selector).await;
        let place = format!(
            "(() => {{ const it = document.querySelector({}).getBoundingClientRect(); \
                return [it.left, it.top + Math.min(it.height, 120) / 2, it.width]; }})()",
            json!(selector)
        );
        let place = self.evaluate(&place).await;
        let [left, y, width] = [0, 1, 2].map(|index| place[index].as_f64().expect("a number"));
        let at = |share: f64| PointerAction::MoveTo { duration: None, x: left + width * share, y };
        let drag = MouseActions::new("mouse".to_owned())
            .then(at(from))
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
            .then(at(f64::midpoint(from, to)))
            .then(at(to))
            .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.client.perform_actions(drag).await.unwrap_or_else(|error| panic!("cannot drag: {error}"));
    }

    /// Waits until the page was drawn twice, so that what was begun before is done.
    pub async fn next_frame(&self) {
        let script =
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(1)))";
        self.client.execute_async(script, Vec::new()).await.expect("the page is drawn");
    }

    /// Does something while the browser sleeps as with its computer: all of its processes stand still.
    pub fn sleep_while<T>(&self, act: impl FnOnce() -> T) -> T {
        let browser = descendants(self.driver);
        assert!(!browser.is_empty(), "the driver has a browser");
        signal_all("-STOP", &browser);
        let done = act();
        signal_all("-CONT", &browser);
        done
    }

    /// The text that a person sees.
    pub async fn text(&self) -> String {
        self.evaluate("document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.client.refresh().await.expect("the page loads again");
    }

    /// The lines of the console since the last call.
    pub async fn take_console(&self) -> Vec<ConsoleLine> {
        let lines = self.issue("se/log", json!({"type": "browser"})).await;
        let field = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let lines = lines.as_array().cloned().unwrap_or_default();
        lines
            .iter()
            .map(|line| ConsoleLine { level: field(line, "level"), text: field(line, "message") })
            .collect()
    }

    /// Writes what is seen to `screenshots/NAME.png` in the target folder.
    pub async fn screenshot(&self, name: &str) {
        let folder = screenshots();
        std::fs::create_dir_all(&folder).unwrap();
        let png = self.client.screenshot().await.expect("the browser takes a picture");
        std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    /// Gives an order of the DevTools protocol.
    pub async fn devtools(&self, method: &str, params: Value) -> Value {
        self.issue("goog/cdp/execute", json!({"cmd": method, "params": params})).await
    }

    async fn issue(&self, path: &'static str, body: Value) -> Value {
        let answer = self.client.issue_cmd(ChromeCommand { path, body: body.clone() }).await;
        answer.unwrap_or_else(|error| panic!("chromedriver refuses {path} {body}: {error}"))
    }
}

/// A command that only chromedriver has.
#[derive(Debug)]
struct ChromeCommand {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for ChromeCommand {
    fn endpoint(&self, base_url: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _request_url: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

/// A chromedriver of its own, which takes its browser with it when it ends.
struct Driver {
    process: Process,
    port: u16,
}

impl Driver {
    /// Starts a driver. It binds a free port of IPv6 and then the same number of IPv4, which another program may have
    /// taken by then: so it is started anew, a few times.
    #[track_caller]
    fn start() -> Self {
        let mut complaints = String::new();
        for _ in 0..DRIVER_STARTS_MAX {
            let mut process = Process::start("chromedriver", Command::new("chromedriver").arg("--port=0"));
            let port = process.find_line(&mut 0, |line| {
                let port = line.split_once("started successfully on port ")?.1;
                port.trim_end_matches('.').parse().ok()
            });
            match port {
                Ok(port) => return Self { process, port },
                Err(why) => {
                    let _ended = process.wait_status(PATIENCE);
                    complaints.push_str(&format!("{why}:\n{}\n", process.stderr()));
                }
            }
        }
        panic!("chromedriver does not start: {complaints}");
    }

    async fn open_session(&self, profile: &Path, language: &str) -> Client {
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ]
        .map(str::to_owned);
        let arguments: Vec<String> = arguments
            .into_iter()
            .chain([format!("--user-data-dir={}", profile.display()), format!("--accept-lang={language}")])
            .collect();
        let Value::Object(capabilities) = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments},
        }) else {
            unreachable!("an object is written above")
        };
        let url = format!("http://127.0.0.1:{}", self.port);
        let session = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&url).await;
        session.unwrap_or_else(|error| {
            panic!(
                "chromedriver opens no browser: {error}; `cargo xtask test` installs Chromium and its driver"
            )
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Its own way to end: it closes the browsers of all sessions first.
        let address = (Ipv4Addr::LOCALHOST, self.port);
        let asked = TcpStream::connect(address)
            .and_then(|mut stream| stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
        if asked.is_ok() {
            let _status = self.process.wait_status(Duration::from_secs(10));
        }
    }
}

/// The right to run one of the few browsers.
struct Permit;

static BROWSERS: Mutex<usize> = Mutex::new(0);
static BROWSER_ENDED: Condvar = Condvar::new();

impl Permit {
    fn acquire() -> Self {
        let mut count = BROWSERS.lock().unwrap();
        while *count >= BROWSERS_MAX {
            count = BROWSER_ENDED.wait(count).unwrap();
        }
        *count += 1;
        Self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *BROWSERS.lock().unwrap() -= 1;
        BROWSER_ENDED.notify_one();
    }
}

/// The processes that a process has started, and those that they have.
fn descendants(process: u32) -> Vec<u32> {
    let listed =
        Command::new("ps").args(["-e", "-o", "pid=,ppid="]).output().expect("ps lists the processes");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let pairs: Vec<(u32, u32)> = listed
        .lines()
        .filter_map(|line| {
            let (child, parent) = line.trim().split_once(char::is_whitespace)?;
            Some((child.parse().ok()?, parent.trim().parse().ok()?))
        })
        .collect();
    let mut found = vec![process];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(pairs.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        at += 1;
    }
    found.split_off(1)
}

fn signal_all(signal: &str, processes: &[u32]) {
    let processes = processes.iter().map(u32::to_string);
    // One of them may have ended meanwhile.
    let _status = Command::new("kill").arg(signal).args(processes).status().expect("kill runs");
}

fn screenshots() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("screenshots")
}
