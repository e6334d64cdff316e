//! A folder with a manifest whose runs are told by mail, and what arrived.

use std::{
    process::Child,
    thread,
    time::{Duration, Instant},
};

use mail_parser::{Message, MessageParser, MimeHeaders};

use super::{
    postfix::{PASSWORD, Postfix, USER},
    world::{Ran, World},
};

/// Where the mail server is, and how to get in.
pub struct Server<'a> {
    pub url: String,
    pub login: Option<(&'a str, &'a str)>,
    /// PEM.
    pub authority: Option<&'a str>,
}

impl<'a> Server<'a> {
    /// Whoever asks may deliver.
    pub fn plain(postfix: &Postfix) -> Self {
        Self { url: format!("smtp://localhost:{}", postfix.ports.plain), login: None, authority: None }
    }

    pub fn starttls(postfix: &'a Postfix) -> Self {
        let url = format!("smtp+starttls://localhost:{}", postfix.ports.submission);
        Self { url, login: Some((USER, PASSWORD)), authority: Some(&postfix.authority) }
    }

    pub fn smtps(postfix: &'a Postfix) -> Self {
        let url = format!("smtps://localhost:{}", postfix.ports.smtps);
        Self { url, login: Some((USER, PASSWORD)), authority: Some(&postfix.authority) }
    }
}

/// Sync `hr` with these fields of `report.email` (`from` and `smtp` are there), and more lines of its spec.
pub fn scene(server: &Server<'_>, email: &str, more: &[&str]) -> World {
    let ca = if server.authority.is_some() { ", caBundle: {configMapKeyRef: {name: ca, key: ca.crt}}" } else { "" };
    let report =
        format!("report: {{email: {{smtp: {{name: smtp}}, from: User sync <sync@example.com>, {email}{ca}}}}}");
    let world = World::new(&[&[report.as_str()], more].concat());
    secrets(&world, server);
    world
}

/// Writes the Secret and the ConfigMap beside the manifest, in it.
pub fn secrets(world: &World, server: &Server<'_>) {
    let manifest = world.read("hr.yaml");
    let mut text = manifest.split("---\n").next().unwrap().to_owned();
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let login =
        server.login.map(|(user, password)| format!(", username: {}, password: {}", quoted(user), quoted(password)));
    text += &format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: smtp}}\nstringData: {{url: {}{}}}\n",
        quoted(&server.url),
        login.unwrap_or_default()
    );
    if let Some(authority) = server.authority {
        let pem = quoted(authority);
        text += &format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: ca}}\ndata: {{ca.crt: {pem}}}\n");
    }
    world.write("hr.yaml", text);
}

/// `run -f hr.yaml`, whatever it prints.
pub fn run(world: &World, more: &[&str]) -> Ran {
    world.usersync(&[&["run", "-f", "hr.yaml"], more].concat())
}

/// The deliveries in the records of all runs: `KIND TO STATE REASON`, sorted.
pub fn deliveries(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for name in world.names(".usersync/runs/default") {
        let run: serde_json::Value =
            serde_yaml::from_str(&world.read(&format!(".usersync/runs/default/{name}"))).unwrap();
        for one in run["status"]["deliveries"].as_array().into_iter().flatten() {
            let word = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
            found.push(
                format!("{} {} {} {}", word("kind"), word("to"), word("state"), word("reason")).trim_end().to_owned(),
            );
        }
    }
    found.sort();
    found
}

/// A mail, read.
pub fn parse(mail: &[u8]) -> Message<'_> {
    MessageParser::default().parse(mail).unwrap()
}

/// Names and contents of what is attached.
pub fn attachments(message: &Message<'_>) -> Vec<(String, Vec<u8>)> {
    message.attachments().map(|part| (part.attachment_name().unwrap().to_owned(), part.contents().to_vec())).collect()
}

/// A header's text, unfolded.
pub fn header(message: &Message<'_>, name: &str) -> String {
    message.header_raw(name).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines are as RFC 5322 (2.1.1) wants them: CRLF, at most 998 bytes; whether all are ASCII.
pub fn lines_are_sound(mail: &[u8]) -> bool {
    mail.split(|byte| *byte == b'\n').all(|line| line.len() <= 999)
}

/// A process that is killed in the end, whatever becomes of the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The text part, each word behind one blank.
pub fn words(mail: &[u8]) -> String {
    parse(mail).body_text(0).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

pub fn until(what: &str, world: &World, done: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < patience, "{what}: {:?}", deliveries(world));
        thread::sleep(Duration::from_millis(20));
    }
}
