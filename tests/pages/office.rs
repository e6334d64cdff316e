//! The rejects file in a real spreadsheet program: opened, corrected in a cell, saved, dropped back.

use std::{fs, path::Path, process::Command};

use super::world::World;

const MAPPING: &str = "mapping: {userId: {column: id}, properties: [{property: name}, {property: mail, type: Email}, {property: born, \
                       type: Date}, {property: note}, {property: phone}, {property: card}]}";

/// Whatever a spreadsheet program likes to change: leading zeros, dates, formulas, long numbers, letters of all kinds.
const ROWS: &str = "\
    00042,Jürgen Groß,ada@@example.com,1990-03-01,=1+1,+49 30 1234,12345678901234567890\n\
    007,李小龍,bond@@example.com,2001-12-31,\"-3; \"\"quoted\"\"\nand a second line\",0049301234,1E5\n\
    1-2,שרה,sarah@@example.com,1985-02-03,@SUM(A1:A9),  07 ,TRUE\n\
    E9,'Ann,ann@@example.com,1970-01-01,\"1,5\",'0,0.10\n";

/// Runs LibreOffice without a window, with settings of its own.
fn office(folder: &Path, arguments: &[&str]) {
    let settings = format!("-env:UserInstallation=file://{}/settings", folder.display());
    let ran = Command::new("soffice")
        .args([settings.as_str(), "--headless", "--norestore"])
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .output()
        .expect("tests/run installs Debian's package libreoffice-calc");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}");
}

#[test]
fn a_rejects_file_survives_a_spreadsheet_and_comes_back() {
    let world = World::new(&[
        MAPPING,
        "safeguards: {maxRejected: \"100%\"}",
        "source: {directory: {path: inbox}, csv: {trim: false}}",
    ]);
    world.drop_file(format!("id,name,mail,born,note,phone,card\nE1,Eve,eve@example.com,1980-01-01,,,\n{ROWS}"));
    let one = world.run(&[]);
    assert_eq!((one.code, one.count("added"), one.count("rejected")), (4, 1, 4), "{one:?}");
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("userdata_1_rejects.csv");
    fs::write(&rejects, one.report_text(&world, "rejects")).unwrap();

    // Opened with all columns as text, as the mail advises; each cell of the mail's column corrected; saved as CSV.
    let text: Vec<String> = (1..=10).map(|column| format!("{column}/2")).collect();
    let open = format!("--infilter=CSV:44,34,76,1,{},0,false,false", text.join("/"));
    office(folder.path(), &[&open, "--convert-to", "fods", "userdata_1_rejects.csv"]);
    let sheet = folder.path().join("userdata_1_rejects.fods");
    let opened = fs::read_to_string(&sheet).unwrap();
    assert_eq!(opened.matches("@@example.com").count(), 4, "each in a cell of its own");
    fs::write(&sheet, opened.replace("@@example.com", "@example.com")).unwrap();
    fs::remove_file(&rejects).unwrap();
    let save = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true";
    office(folder.path(), &["--convert-to", save, "userdata_1_rejects.fods"]);

    world.write("inbox/userdata_1_rejects.csv", fs::read(&rejects).unwrap());
    let back = world.run(&[]);
    assert_eq!((back.code, back.counts().as_str()), (0, "read 4, added 4"), "{back:?}");
    let select = "select id || '|' || name || '|' || mail || '|' || born || '|' || note || '|' || phone || '|' || card from users \
                  where id <> 'E1' order by id";
    assert_eq!(
        world.users(select),
        [
            "00042|Jürgen Groß|ada@example.com|1990-03-01|=1+1|+49 30 1234|12345678901234567890",
            "007|李小龍|bond@example.com|2001-12-31|-3; \"quoted\"\nand a second line|0049301234|1E5",
            "1-2|שרה|sarah@example.com|1985-02-03|@SUM(A1:A9)|  07 |TRUE",
            "E9|'Ann|ann@example.com|1970-01-01|1,5|'0|0.10",
        ]
    );
}
