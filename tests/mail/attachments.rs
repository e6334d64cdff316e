//! Attachments that are too large: cut where a row ends, and the mail says so; a server that refuses them all the same.

use std::{
    fmt::Write,
    fs,
    io::{self, Read},
};

use flate2::read::GzDecoder;

use super::{
    postfix::Postfix,
    scene::{Server, attachments, deliveries, lines_are_sound, parse, run, scene, words},
    world::World,
};

/// The most bytes of an attachment.
const LARGEST: usize = 5 << 20;

/// Users to add whose ids can hardly be packed, and as much to reject: more than 5 MiB of each.
fn large() -> String {
    let mut state = 1_u64;
    let mut id = |length: usize| -> String {
        let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(letters[(state >> 58) as usize])
        };
        (0..length).map(|_| letter()).collect()
    };
    let mut text = "id,name,mail\n".to_owned();
    for n in 0..8_000 {
        writeln!(text, "E{n}{},Ann,ann@example.com", id(1_000)).unwrap();
        writeln!(text, "R{n},\"{}\n{}\",ann@@example.com", id(400), id(400)).unwrap();
    }
    text
}

fn large_world(postfix: &Postfix) -> World {
    let email = "to: [it@example.com], failedImportTo: [hr@example.com]";
    let world = scene(&Server::plain(postfix), email, &["safeguards: {maxRejected: \"100%\"}"]);
    world.drop_file(large());
    world
}

#[test]
fn what_is_too_large_is_cut_where_a_row_ends_and_the_mail_says_where_all_of_it_is() {
    let postfix = Postfix::start();
    let world = large_world(&postfix);
    let one = world.run(&[]);
    assert_eq!((one.code, one.counts().as_str()), (4, "read 16000, rejected 8000, added 8000"));
    let place = |kind: &str| one.report["reports"][kind].as_str().unwrap().to_owned();

    let rows = postfix.await_mails("hr@example.com", 1).remove(0);
    let (name, attached) = attachments(&parse(&rows)).remove(0);
    let whole = fs::read(world.path(&place("rejects"))).unwrap();
    assert_eq!(name, "userdata_1_rejects.csv");
    assert!(
        whole.len() > LARGEST && attached.len() <= LARGEST && attached.len() > LARGEST - 2_000,
        "{}",
        attached.len()
    );
    assert!(whole.starts_with(&attached));
    // A row ends with its reason; there are line breaks within rows as well.
    assert!(attached.ends_with(b"it has two @\"\r\n"), "{:?}", end(&attached));
    let said = words(&rows);
    assert!(said.contains("There are more than 5 MiB of them: the attachment has the first ones only."), "{said}");
    assert!(said.contains(&format!("All of them are in {}", place("rejects"))), "{said}");

    let summary = postfix.await_mails("it@example.com", 1).remove(0);
    let (name, attached) = attachments(&parse(&summary)).remove(0);
    assert_eq!(name, "changes.csv.gz");
    let whole = fs::read(world.path(&place("changes"))).unwrap();
    assert!(whole.len() > LARGEST && attached.len() <= LARGEST && attached.len() > LARGEST / 2, "{}", attached.len());
    let unpacked = |bytes: &[u8]| io::read_to_string(GzDecoder::new(bytes)).unwrap();
    let (whole, attached) = (unpacked(&whole), unpacked(&attached));
    assert!(whole.starts_with(&attached) && attached.len() < whole.len());
    assert!(attached.ends_with(",,,\n") || attached.ends_with(",,,\r\n"), "{:?}", end(attached.as_bytes()));
    let said = words(&summary);
    assert!(said.contains("The changes are more than 5 MiB: the attachment has the first of them only."), "{said}");
    assert!(said.contains(&format!("All of them are in {}", place("changes"))), "{said}");
    assert!(lines_are_sound(&rows) && lines_are_sound(&summary));

    // What came by mail can be corrected and dropped back as it is: these rows alone are imported.
    let back = attachments(&parse(&rows)).remove(0).1;
    let mut text = String::new();
    back.as_slice().read_to_string(&mut text).unwrap();
    world.write("inbox/userdata_2.csv", text.replace("ann@@example.com", "ann@example.com"));
    let again = world.run(&["--no-mail"]);
    assert_eq!((again.code, again.count("rejected"), again.count("removed")), (0, 0, 0), "{again:?}");
    assert!((5_000..8_000).contains(&again.count("added")), "{again:?}");
}

fn end(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(80)..]).into_owned()
}

#[test]
fn a_mail_that_the_server_finds_too_large_is_not_sent_again_and_says_what_to_do() {
    let mut postfix = Postfix::start();
    postfix.take_at_most(1_000_000);
    let world = large_world(&postfix);
    let ran = run(&world, &[]);
    assert_eq!(ran.code, 4, "the import is done: {ran:?}");
    for word in
        ["refused the mail as too large: 552 5.3.4", "Have its limit for a mail raised", "the run's report has all"]
    {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    let refused =
        ["FailedImport hr@example.com Refused RecipientRefused", "Summary it@example.com Refused RecipientRefused"];
    assert_eq!(deliveries(&world), refused);
    let next = run(&world, &["--simulate"]);
    assert!(!next.stderr.contains("552"), "not again: {}", next.stderr);
    postfix.rests();
    assert!(postfix.mails("hr@example.com").is_empty());
}
