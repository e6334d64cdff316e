//! What strangers' values can do.

use super::*;

#[test]
fn strangers_write_nothing_of_ours() {
    let evil = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "a\r\nBcc: eve@example.com\r\n\r\nhello",
        "\u{202e}gnp.exe\u{200b}",
        "=HYPERLINK(\"http:evil\")",
        "\u{1b}[2J\u{0}",
        "</style></td></table>",
        "&lt;b&gt;",
    ];
    for value in evil.into_iter().map(str::to_owned).chain(["x".repeat(1 << 20)]) {
        let mut report = report(Mode::Import, Reason::CompletedWithRejects);
        report.sync = format!("hr {value}");
        report.run.clone_from(&value);
        report.message.clone_from(&value);
        report.warnings.push(value.clone());
        if let Some(file) = &mut report.file {
            file.name.clone_from(&value);
        }
        let reject = reject(3, RejectCode::Required, Some(&value), &value, &value);
        let kind = RejectKind { code: reject.code, column: Some(value.clone()), count: 1, first: vec![reject.clone()] };
        let sample = Sample {
            changes: vec![change(ChangeAction::Updated, &value, Some(2), &[(&value, &value, &value)])],
            rejects: vec![reject],
            kinds: vec![kind],
        };
        let staged = vec![("changes.csv.gz".to_owned(), 1), (format!("{value}_rejects.csv"), 1)];
        for reason in [Reason::CompletedWithRejects, Reason::InvalidFile, Reason::Held] {
            report.reason = reason;
            for letter in letters(&report, &sample, &About { staged: staged.clone(), ..about() }) {
                assert!(!letter.subject.contains(|c: char| c.is_control() || c == '\u{202e}'), "{:?}", letter.subject);
                assert!(letter.subject.chars().count() <= 200);
                assert!(letter.text.chars().all(|c| c == '\n' || !c.is_control()), "{}", letter.text);
                for part in [&letter.text, &letter.html] {
                    assert!(!part.contains(['\u{202e}', '\u{200b}', '\u{1b}']));
                }
                for tag in ["<script", "<img", "</style></td>", "<b>"] {
                    assert!(!letter.html.contains(tag), "{tag}");
                }
                let names = letter.attachments.iter().map(|attachment| attachment.name.as_str());
                assert!(!names.collect::<String>().contains(|c: char| c.is_control() || "/\\\u{202e}".contains(c)));
            }
        }
    }
}
