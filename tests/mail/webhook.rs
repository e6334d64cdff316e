//! The webhook: what is posted, that its signature can be checked as the documentation says, and what answers mean.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use super::{
    scene::{deliveries, run},
    world::{THREE, World},
};

/// A POST that came: path, headers (names in lower case), body.
#[derive(Clone, Debug)]
pub struct Post {
    path: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Post {
    /// What a receiver knows a repetition by.
    pub fn delivery(&self) -> &str {
        self.header("usersync-delivery")
    }

    /// Whether it is signed as the documentation says.
    pub fn is_genuine(&self) -> bool {
        verified(KEY, self.header("usersync-signature"), &self.body)
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A server that answers with the next of these lines, again and again the last one.
pub struct Hook {
    pub address: SocketAddr,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Hook {
    pub fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, posts) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let shared: Arc<Mutex<Vec<Post>>> = posts.clone();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let mut lines = BufReader::new(&stream);
                let mut head = Vec::new();
                loop {
                    let mut line = String::new();
                    if lines.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                        break;
                    }
                    head.push(line.trim_end().to_owned());
                }
                let Some(first) = head.first() else { continue };
                let path = first.split(' ').nth(1).unwrap().to_owned();
                let pair =
                    |line: &String| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
                let headers: Vec<_> = head.iter().skip(1).filter_map(pair).collect();
                let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
                let mut body = vec![0; length.parse().unwrap()];
                lines.read_exact(&mut body).unwrap();
                shared.lock().unwrap().push(Post { path, headers, body: String::from_utf8(body).unwrap() });
                let answer = answers.get(number).or(answers.last()).unwrap();
                let _ = (&stream).write_all(
                    format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes(),
                );
            }
        });
        Self { address, posts }
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    /// Adds the Secret that [`hooked`] names to the manifest.
    pub fn named_in(&self, world: &World) {
        secret(world, &format!("http://{}/in?token=t0p", self.address));
    }
}

/// The end of the fields of `report`, from `email` on without its last brace: a webhook.
pub fn hooked() -> String {
    let key = |key: &str| format!("{{secretKeyRef: {{name: hook, key: {key}}}}}");
    format!("webhook: {{url: {}, signingKey: {}", key("url"), key("key"))
}

fn secret(world: &World, url: &str) {
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: hook}}\nstringData: {{url: \"{url}\", key: \"{KEY}\"}}\n"
    );
    world.write("hr.yaml", world.read("hr.yaml") + &secret);
}

/// What the posts are signed with.
const KEY: &str = "whsec_ü 1";

fn scene(url: &str) -> World {
    let world = World::new(&[&format!("report: {{{}}}}}", hooked())]);
    secret(&world, url);
    world
}

/// What the documentation gives to whoever receives it.
fn verifier() -> String {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/notifications.md")).unwrap();
    let block = page.split("```python\n").nth(1).unwrap();
    block.split("```").next().unwrap().to_owned()
}

/// Whether the documented verifier takes this.
fn verified(key: &str, header: &str, body: &str) -> bool {
    let call = "\nimport sys\nsys.exit(0 if verify(sys.argv[1].encode(), sys.argv[2], sys.argv[3].encode()) else 1)\n";
    let program = verifier() + call;
    Command::new("python3").args(["-c", &program, key, header, body]).status().unwrap().success()
}

#[test]
fn a_run_is_posted_and_the_documented_verifier_takes_it() {
    let hook = Hook::start(vec!["204 No Content".into()]);
    let world = scene(&format!("http://{}/in?token=t0p", hook.address));
    world.drop_file(THREE);
    let one = world.run(&[]);
    assert_eq!(one.code, 0);
    assert_eq!(deliveries(&world), ["Webhook webhook Sent"]);
    let posts = hook.posts();
    assert_eq!(posts.len(), 1);
    let post = &posts[0];
    assert_eq!((post.path.as_str(), post.header("content-type")), ("/in?token=t0p", "application/json"));
    assert_eq!(post.body, one.report_text(&world, "report"), "report.json as it is kept");
    let told: serde_json::Value = serde_json::from_str(&post.body).unwrap();
    assert_eq!((&told["reason"], &told["counts"]["added"]), (&"Completed".into(), &3.into()));
    assert!(!post.body.contains("ann@example.com"), "no rows");
    assert_eq!(post.header("usersync-delivery"), format!("{}.webhook", told["run"].as_str().unwrap()));

    let signature = post.header("usersync-signature");
    let lines = verifier().lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 12, "about ten lines: {lines}");
    assert!(verified(KEY, signature, &post.body));
    assert!(!verified("another", signature, &post.body));
    assert!(!verified(KEY, signature, &post.body.replace("Completed", "Held")));
    let (time, v1) = signature.split_once(',').unwrap();
    let seconds: u64 = time.strip_prefix("t=").unwrap().parse().unwrap();
    assert!(!verified(KEY, &format!("t={},{v1}", seconds + 1), &post.body), "the time is signed too");
    assert!(!verified(KEY, "t=1,v1=00", &post.body) && !verified(KEY, "", &post.body));
}

#[test]
fn what_answers_mean() {
    let other = Hook::start(vec!["200 OK".into()]);
    let cases: [(&str, Vec<String>, &str, usize); 5] = [
        ("busy", vec!["503 Busy".into(), "200 OK".into()], "Webhook webhook Sent", 2),
        ("refused", vec!["401 Unauthorized".into()], "Webhook webhook Refused WebhookFailed", 1),
        ("moved here", vec!["307 Moved\r\nlocation: /there".into(), "200 OK".into()], "Webhook webhook Sent", 2),
        (
            "moved away",
            vec![format!("307 Moved\r\nlocation: http://{}/", other.address)],
            "Webhook webhook Refused WebhookFailed",
            1,
        ),
        (
            "see other",
            vec!["303 See\r\nlocation: /there".into(), "200 OK".into()],
            "Webhook webhook Refused WebhookFailed",
            1,
        ),
    ];
    for (title, answers, said, posts) in cases {
        let hook = Hook::start(answers);
        let world = scene(&format!("http://{}/in?token=t0p", hook.address));
        world.drop_file(THREE);
        let ran = run(&world, &[]);
        assert_eq!(ran.code, 0, "{title}: {ran:?}");
        assert_eq!(deliveries(&world), [said], "{title}: {}", ran.stderr);
        assert_eq!(hook.posts().len(), posts, "{title}");
        assert!(!ran.stderr.contains("t0p") && !ran.stderr.contains(KEY), "{title}: {}", ran.stderr);
    }
    assert!(other.posts().is_empty(), "nothing goes to other places");
}
